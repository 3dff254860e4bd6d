# The watcher's and the gate's pure parts, and the two against a peer that the test plays.
CONTAINERD_PB := $(B)/gen/watcher/containerd.pb-c.c
UNIT_gate_request := watcher/gate/request.c
UNIT_gate_framing := watcher/gate/framing.c
UNIT_gate_queue := watcher/gate/queue.c common/channel.c common/message.c common/log.c
UNIT_envelope := watcher/events/envelope.c watcher/events/budget.c $(CONTAINERD_PB)
LIBS_UNIT_envelope := -lprotobuf-c -ljansson
UNIT_container := watcher/events/container.c watcher/events/spec.c watcher/events/envelope.c watcher/events/budget.c $(CONTAINERD_PB)
LIBS_UNIT_container := -lprotobuf-c -ljansson
UNIT_assembly := watcher/events/assembly.c
UNIT_watcher := $(filter-out watcher/main.c,$(wildcard watcher/*.c watcher/events/*.c)) $(CONTAINERD_PB) \
	common/channel.c common/message.c common/log.c
LIBS_UNIT_watcher := -lprotobuf-c -ljansson
UNIT_gate := $(filter-out watcher/gate/main.c,$(wildcard watcher/gate/*.c)) common/channel.c common/message.c common/log.c
LIBS_UNIT_gate := -lnghttp2
UNIT_gate_bounds := $(UNIT_gate)
LIBS_UNIT_gate_bounds := $(LIBS_UNIT_gate)
UNIT_watcher_bounds := $(UNIT_watcher)
LIBS_UNIT_watcher_bounds := $(LIBS_UNIT_watcher)
