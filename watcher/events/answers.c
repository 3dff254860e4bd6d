/*
 * containerd's answers: what a started task's container is, what runs already.
 * Run by the watcher; the payloads are hostile and go through the parsers of
 * this folder.
 */
#include <string.h>
#include "answers.h"
#include "container.h"
#include "log.h"

#define GRPC_OK 0
#define GRPC_NOT_FOUND 5
#define GRPC_DATA_LOSS 15	/* the gate's: a message of the answer was not passed on, it has said why */

void answers_unreadable(struct containerd *self, const struct call *call, uint64_t now)
{
	log_event(LOG_WARNING, "unreadable answer, skipped", log_str("container", call->id),
		  log_int("method", call->method), log_int("bytes", call->assembly.length));
	if (call->purpose == CALL_STARTED)
		containerd_list_soon(self, now);
	else if (call->purpose != CALL_CREATED)
		self->list_result = LIST_PARTIAL;
}

/* Other shims run a kernel of their own, or none of ours: nothing at the pod's cgroup judges their packets. */
static int runtime_supported(const char *runtime)
{
	return !strcmp(runtime, "io.containerd.runc.v2") || !strcmp(runtime, "io.containerd.runc.v1");
}

static int sandbox_facts(const struct container *container, struct sandbox_facts *facts)
{
	struct spec spec;

	if (strlen(container->id) != SANDBOX_ID_LENGTH || !sandbox_id_valid(container->id))
		return -1;
	if (container_spec(container, &spec))
		return -1;
	memcpy(facts->id, container->id, sizeof(facts->id));
	strcpy(facts->namespace, container->namespace);
	strcpy(facts->pod, container->pod);
	strcpy(facts->uid, container->uid);
	facts->refused = !runtime_supported(container->runtime) ? "the pod's runtime is not runc's" :
			 !spec.own_network ? "the pod uses the host's network" : NULL;
	return 0;
}

static int workload_facts(const struct container *container, struct known *known)
{
	struct spec spec;

	if (container_spec(container, &spec) || strlen(spec.sandbox) != SANDBOX_ID_LENGTH || !sandbox_id_valid(spec.sandbox))
		return -1;
	memcpy(known->facts.id, spec.sandbox, sizeof(known->facts.id));
	strcpy(known->name, container->name);
	return 0;
}

static int read_known(struct containerd *self, const struct call *call, struct container *container, struct known *known)
{
	*known = (struct known){ .kind = KNOWN_FOREIGN };
	if (container_open(call->assembly.bytes, call->assembly.length, container) || strcmp(container->id, call->id) != 0)
		return -1;
	strcpy(known->container, container->id);
	if (container->kind == CONTAINER_OTHER || !self->sink->guarded(self->sink->context, container->namespace))
		return 0;
	known->kind = container->kind == CONTAINER_SANDBOX ? KNOWN_SANDBOX : KNOWN_WORKLOAD;
	return known->kind == KNOWN_SANDBOX ? sandbox_facts(container, &known->facts) : workload_facts(container, known);
}

void answers_report(struct containerd *self, const struct known *known, uint32_t pid, uint64_t received_ns, uint64_t now)
{
	struct sandbox_facts facts = known->facts;

	if (known->kind == KNOWN_WORKLOAD)
		self->sink->workload(self->sink->context, known->facts.id, known->name);
	if (known->kind != KNOWN_SANDBOX)
		return;
	facts.pid = pid;
	facts.received_ns = received_ns;
	self->sink->running(self->sink->context, &facts, now);
}

/* A sandbox, a pod's container, or nothing that is ours; its task has started, or will. */
static void on_container(struct containerd *self, struct call *call, uint64_t now)
{
	struct container container;
	struct known known;
	int error = read_known(self, call, &container, &known);

	container_close(&container);
	if (error)
		answers_unreadable(self, call, now);
	else if (call->purpose == CALL_STARTED)
		answers_report(self, &known, call->facts.pid, call->facts.received_ns, now);
	else
		known_put(&self->known, &known);
}

/* The list says that the sandbox exists; its task says whether it runs. */
static void ask_task(struct containerd *self, const struct sandbox_facts *facts)
{
	char id[SANDBOX_ID_LENGTH + 1] = "";
	struct call *call;

	memcpy(id, facts->id, SANDBOX_ID_LENGTH);
	call = calls_add(&self->calls, CALL_LISTED_TASK, METHOD_TASK_GET, id);
	if (!call) {
		log_event(LOG_ERROR, "too many calls wait, a sandbox is left to the next list", log_str("sandbox", id));
		self->list_unsure = 1;
		return;
	}
	call->facts = *facts;
	self->list_open++;
}

static void on_listed(struct containerd *self, struct call *call, const struct msg_chunk *chunk, uint64_t now)
{
	struct sandbox_facts facts = { .found = FOUND_LIST, .received_ns = chunk->received_ns };
	struct container container;
	int error = container_open(call->assembly.bytes, call->assembly.length, &container);

	if (!error && container.kind == CONTAINER_SANDBOX && self->sink->guarded(self->sink->context, container.namespace)) {
		error = sandbox_facts(&container, &facts);
		if (!error) {
			self->sink->listed(self->sink->context, facts.id);
			ask_task(self, &facts);
		}
	}
	container_close(&container);
	if (error)
		answers_unreadable(self, call, now);
}

static void on_listed_task(struct containerd *self, struct call *call, uint64_t now)
{
	struct task task;

	if (task_parse(call->assembly.bytes, call->assembly.length, &task) || strcmp(task.id, call->id) != 0) {
		answers_unreadable(self, call, now);
		return;
	}
	call->facts.pid = task.pid;
	if (task.state == TASK_RUNS)
		self->sink->running(self->sink->context, &call->facts, now);
	else if (task.state == TASK_GONE)
		self->sink->ended(self->sink->context, call->facts.id);
}

void answers_message(struct containerd *self, struct call *call, const struct msg_chunk *chunk, uint64_t now)
{
	int first = !call->answered;

	call->answered = 1;
	if (call->purpose == CALL_LIST)
		on_listed(self, call, chunk, now);
	else if (first && call->method == METHOD_CONTAINER_GET)
		on_container(self, call, now);
	else if (first)
		on_listed_task(self, call, now);
}

static void lost(struct containerd *self, const struct call *call, int32_t grpc_status, uint64_t now)
{
	log_event(LOG_WARNING, "call without an answer", log_int("method", call->method), log_str("container", call->id),
		  log_int("grpc_status", grpc_status));
	containerd_list_soon(self, now);
	if (call->purpose == CALL_LIST)
		self->list_result = grpc_status == GRPC_DATA_LOSS ? LIST_PARTIAL : LIST_FAILED;
}

/* NOT_FOUND is an answer: the container, or its task, is gone. */
void answers_end(struct containerd *self, struct call *call, int32_t grpc_status, uint64_t now)
{
	if (call->purpose == CALL_CREATED || (call->purpose == CALL_LIST ? grpc_status == GRPC_OK : call->answered))
		return;
	if (grpc_status != GRPC_NOT_FOUND || call->purpose == CALL_LIST)
		lost(self, call, grpc_status, now);
	else if (call->purpose == CALL_LISTED_TASK)
		self->sink->ended(self->sink->context, call->facts.id);
}
