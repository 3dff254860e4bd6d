/* One place for the version that the barrier answers, the images carry and --version prints. */
#ifndef LW_VERSION_H
#define LW_VERSION_H

#define LW_VERSION "0.1.0"

#endif
