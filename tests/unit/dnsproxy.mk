# The proxy's pure parts.
UNIT_dns_wire := dnsproxy/wire.c dnsproxy/packet.c dnsproxy/query.c
LIBS_UNIT_dns_wire := -lldns
UNIT_dns_query := dnsproxy/wire.c dnsproxy/packet.c dnsproxy/query.c
LIBS_UNIT_dns_query := -lldns
UNIT_dns_reply := dnsproxy/wire.c dnsproxy/packet.c dnsproxy/query.c dnsproxy/reply.c
LIBS_UNIT_dns_reply := -lldns
UNIT_dns_frame := dnsproxy/wire.c dnsproxy/frame.c
UNIT_dns_flight := dnsproxy/wire.c dnsproxy/flight.c dnsproxy/random.c common/log.c
UNIT_dns_surface := dnsproxy/surface.c dnsproxy/filter.c common/surface.c
LIBS_UNIT_dns_surface := -lseccomp
