# Leitwacht.  `make help` lists every target; README.md says where to start.
# Everything that is built lands in build/.  Each process compiles with its own
# folder and common/ on the include path, nothing else.

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
SHELL := /bin/bash

B := build
CC := gcc
CLANG := clang
PYTHON := /usr/bin/python3
# make V=1 shows the commands
Q := $(if $(V),,@)

WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wconversion \
	-Wno-missing-field-initializers -Werror
HARDEN := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
CFLAGS := -std=gnu11 -O2 -g $(WARN) $(HARDEN)
LDFLAGS := -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed
SANITIZE := -std=gnu11 -O1 -g $(WARN) -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# ---- what belongs to which program ------------------------------------------
COMMON := $(filter-out common/surface_%,$(wildcard common/*.c))
LAUNCHER := $(wildcard attacher/launcher*.c)
UNINSTALL := attacher/uninstall.c
ATTACHER := $(filter-out $(LAUNCHER) $(UNINSTALL) attacher/surface_tables.c,$(wildcard attacher/*.c))
GATE := $(wildcard watcher/gate/*.c)
WATCHER := $(wildcard watcher/*.c watcher/events/*.c)
DNSPROXY := $(wildcard dnsproxy/*.c)
INITC := $(wildcard initc/*.c)

LIBS_COMMON := -lseccomp -lcap-ng
LIBS_leitwacht := $(LIBS_COMMON)
LIBS_leitwacht-attacher := -lbpf -lnftnl -lmnl $(LIBS_COMMON)
LIBS_leitwacht-uninstall := -lbpf $(LIBS_COMMON)
LIBS_leitwacht-gate := -lnghttp2 $(LIBS_COMMON)
LIBS_leitwacht-watcher := -lprotobuf-c -ljansson $(LIBS_COMMON)
LIBS_leitwacht-dnsproxy := -lldns $(LIBS_COMMON)

PROGRAMS := leitwacht leitwacht-attacher leitwacht-gate leitwacht-watcher leitwacht-dnsproxy leitwacht-uninstall
AGENT := $(PROGRAMS:%=$(B)/agent/%)
SURFACES := attacher watcher/gate watcher dnsproxy

.PHONY: all
all: $(AGENT) $(B)/agent/empty $(B)/leitwacht-initc	## build everything

# ---- generated: BPF skeleton, protobuf --------------------------------------
MULTIARCH := $(shell $(CC) -print-multiarch)

$(B)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	@mkdir -p $(@D); echo '  BPF   $<'
	$(Q)$(CLANG) -g -O2 -Wall -Wextra -Werror -target bpf -Ibpf -I/usr/include/$(MULTIARCH) -c $< -o $@

$(B)/gen/attacher/%.skel.h: $(B)/bpf/%.bpf.o
	@mkdir -p $(@D); echo '  GEN   $@'
	$(Q)bpftool gen skeleton $< name $(subst .,_,$*) >$@

$(B)/gen/watcher/%.pb-c.c $(B)/gen/watcher/%.pb-c.h &: watcher/events/%.proto
	@mkdir -p $(@D); echo '  GEN   $@'
	$(Q)protoc-c --proto_path=$(<D) --c_out=$(@D) $<

# ---- objects: folder by folder, so that no room sees another's headers -------
INC_common := -Icommon
INC_attacher := -Iattacher -Icommon -Ibpf -isystem $(B)/gen/attacher
INC_watcher := -Iwatcher -Iwatcher/events -Icommon -isystem $(B)/gen/watcher
INC_gate := -Iwatcher/gate -Icommon
INC_dnsproxy := -Idnsproxy -Icommon

define objects # name, include variable, sources
OBJ_$(1) := $$(patsubst %.c,$(B)/obj/$(1)/%.o,$(3))
$(B)/obj/$(1)/%.o: %.c
	@mkdir -p $$(@D); echo '  CC    $$<'
	$$(Q)$$(CC) $$(CFLAGS) $$($(2)) -MD -MP -c $$< -o $$@
endef
$(eval $(call objects,common,INC_common,$(COMMON)))
$(eval $(call objects,leitwacht,INC_attacher,$(LAUNCHER)))
$(eval $(call objects,leitwacht-attacher,INC_attacher,$(ATTACHER)))
$(eval $(call objects,leitwacht-uninstall,INC_attacher,$(UNINSTALL)))
$(eval $(call objects,leitwacht-gate,INC_gate,$(GATE)))
$(eval $(call objects,leitwacht-watcher,INC_watcher,$(WATCHER)))
$(eval $(call objects,leitwacht-dnsproxy,INC_dnsproxy,$(DNSPROXY)))
OBJ_leitwacht-watcher += $(B)/obj/leitwacht-watcher/containerd.pb-c.o
-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

$(OBJ_leitwacht-attacher): | $(B)/gen/attacher/lw.skel.h
$(OBJ_leitwacht-watcher): | $(B)/gen/watcher/containerd.pb-c.h
$(B)/obj/leitwacht-watcher/containerd.pb-c.o: $(B)/gen/watcher/containerd.pb-c.c
	@mkdir -p $(@D); echo '  CC    $<'
	$(Q)$(CC) $(CFLAGS) $(INC_watcher) -c $< -o $@	# protoc-c's code passes our warnings

$(B)/libcommon.a: $(OBJ_common)
	$(Q)rm -f $@ && ar rcs $@ $^

.SECONDEXPANSION:
$(AGENT): $(B)/agent/%: $$(OBJ_%) $(B)/libcommon.a
	@mkdir -p $(@D); echo '  LINK  $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $(OBJ_$*) $(B)/libcommon.a $(LIBS_$*)

$(B)/agent/empty:
	$(Q)mkdir -p $@ && chmod 0555 $@

# The init container: static, without glibc (its resolver and its size).
$(B)/leitwacht-initc: $(INITC) $(wildcard initc/*.h) common/version.h
	@mkdir -p $(@D); echo '  LINK  $@'
	$(Q)musl-gcc -std=gnu11 -Os $(WARN) -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffunction-sections -static \
		-Wl,--gc-sections,-z,relro,-z,now,-z,noexecstack -s -Iinitc -Icommon -o $@ $(INITC)

include tests/Makefile.inc
-include tests/system/Makefile.inc
-include tests/bench/Makefile.inc
-include tests/vm/Makefile.inc

# ---- the two commands of README.md --------------------------------------------
.PHONY: deps
deps:	## install what is missing on a Debian 12 machine (as root)
	@tests/packages

.PHONY: demo
demo: deps	## a real pod behind the barrier, on a private node, as a timeline
	@$(MAKE) --no-print-directory -s all system-helpers
	@$(PYTHON) -B tests/system/demo.py

.PHONY: clean
clean:	## remove build/
	rm -rf $(B)

.PHONY: help
help:	## this list
	@grep -hE '^[a-z-]+:.*##' Makefile tests/Makefile.inc tests/system/Makefile.inc tests/bench/Makefile.inc tests/vm/Makefile.inc 2>/dev/null | \
		sed -E 's/:.*##[[:space:]]*/\t/' | while IFS=$$'\t' read -r a b; do printf '  make %-15s %s\n' "$$a" "$$b"; done
