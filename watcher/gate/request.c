/*
 * Encoding of the fixed requests (request.h).  Run by the gate; the id and the
 * method come from the watcher and are hostile.  Field numbers are containerd's
 * API of 1.6, 1.7 and 2.1, which agree.
 */
#include <errno.h>
#include <string.h>
#include "message.h"
#include "request.h"

#define NAMESPACE_KUBERNETES "k8s.io"
#define NAMESPACE_PROBE "leitwacht"
#define TOPIC_PROBE "/leitwacht/probe"
#define TYPE_PROBE "leitwacht.dev/probe"

#define PREFIX_LENGTH 5

static const char *const filters[] = {
	"topic==\"/tasks/create\",namespace==\"" NAMESPACE_KUBERNETES "\"",
	"topic==\"/tasks/start\",namespace==\"" NAMESPACE_KUBERNETES "\"",
	"topic==\"/tasks/exit\",namespace==\"" NAMESPACE_KUBERNETES "\"",
	"topic==\"/tasks/delete\",namespace==\"" NAMESPACE_KUBERNETES "\"",
	"topic==\"" TOPIC_PROBE "\",namespace==\"" NAMESPACE_PROBE "\"",
};

static void begin(struct request *request, const char *path, const char *namespace)
{
	memset(request, 0, sizeof(*request));
	request->path = path;
	request->namespace = namespace;
	request->length = PREFIX_LENGTH;
}

/* A length-delimited protobuf field.  All of ours are shorter than 128, so that a length is one byte. */
static void put_field(struct request *request, unsigned field, const void *bytes, size_t length)
{
	if (length > 127 || request->length + 2 + length > REQUEST_MAX)
		__builtin_trap();	/* our own literals, or an id that was checked */
	request->body[request->length++] = (uint8_t)(field << 3 | 2);
	request->body[request->length++] = (uint8_t)length;
	memcpy(request->body + request->length, bytes, length);
	request->length += length;
}

static void put_string(struct request *request, unsigned field, const char *string)
{
	put_field(request, field, string, strlen(string));
}

/* gRPC's prefix: not compressed, then the length in network order. */
static void finish(struct request *request)
{
	size_t length = request->length - PREFIX_LENGTH;

	request->body[3] = (uint8_t)(length >> 8);
	request->body[4] = (uint8_t)length;
}

void request_subscribe(struct request *request)
{
	begin(request, "/containerd.services.events.v1.Events/Subscribe", NAMESPACE_KUBERNETES);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		put_string(request, 1, filters[i]);
	finish(request);
}

/* The event is always set: containerd 1.6 dereferences it unseen, and dies. */
void request_probe(struct request *request, uint64_t nonce)
{
	struct request event;

	begin(&event, "", "");
	put_string(&event, 1, TYPE_PROBE);
	put_field(&event, 2, &nonce, sizeof(nonce));
	begin(request, "/containerd.services.events.v1.Events/Publish", NAMESPACE_PROBE);
	put_string(request, 1, TOPIC_PROBE);
	put_field(request, 2, event.body + PREFIX_LENGTH, event.length - PREFIX_LENGTH);
	finish(request);
}

int request_id_valid(const char *id, size_t length)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

	if (length < 1 || length > CONTAINER_ID_MAX)
		return 0;
	for (size_t i = 0; i < length; i++)
		if (!id[i] || !strchr(allowed, id[i]))
			return 0;
	return 1;
}

static const char *path_of(uint32_t method)
{
	switch (method) {
	case METHOD_VERSION:
		return "/containerd.services.version.v1.Version/Version";
	case METHOD_CONTAINER_GET:
		return "/containerd.services.containers.v1.Containers/Get";
	case METHOD_CONTAINER_LIST:
		return "/containerd.services.containers.v1.Containers/ListStream";
	case METHOD_TASK_GET:
		return "/containerd.services.tasks.v1.Tasks/Get";
	default:
		return NULL;
	}
}

int request_call(struct request *request, uint32_t method, const char *id, size_t id_length)
{
	int takes_id = method == METHOD_CONTAINER_GET || method == METHOD_TASK_GET;
	const char *path = path_of(method);

	if (!path || (takes_id ? !request_id_valid(id, id_length) : id_length != 0))
		return -EINVAL;
	begin(request, path, NAMESPACE_KUBERNETES);
	if (takes_id)
		put_field(request, 1, id, id_length);
	if (method == METHOD_CONTAINER_LIST)
		put_string(request, 1, "labels.\"io.cri-containerd.kind\"==sandbox");
	finish(request);
	return 0;
}
