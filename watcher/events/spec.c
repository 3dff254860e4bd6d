/*
 * The runtime spec of a container: two facts out of a large JSON document.
 * Run by the watcher.  A pod's author shapes parts of it (annotations,
 * environment): we must distrust these bytes.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include "container.h"

/* Numbers as reals: RLIM_INFINITY and the like don't fit a signed 64-bit integer. */
#define LOAD_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL)

static int has_network(const json_t *namespaces)
{
	for (size_t i = 0; i < json_array_size(namespaces); i++) {
		const char *type = json_string_value(json_object_get(json_array_get(namespaces, i), "type"));

		if (type && !strcmp(type, "network"))
			return 1;
	}
	return 0;
}

static int read_sandbox(const json_t *root, struct spec *out)
{
	const json_t *value = json_object_get(json_object_get(root, "annotations"), "io.kubernetes.cri.sandbox-id");
	size_t length = json_string_length(value);

	if (length >= sizeof(out->sandbox))
		return -EBADMSG;
	if (length)
		memcpy(out->sandbox, json_string_value(value), length);
	return 0;
}

int spec_parse(const char *json, size_t size, struct spec *out)
{
	json_error_t why;
	json_t *root = json_loadb(json, size, LOAD_FLAGS, &why);
	int error;

	memset(out, 0, sizeof(*out));
	error = json_is_object(root) ? read_sandbox(root, out) : -EBADMSG;
	out->own_network = has_network(json_object_get(json_object_get(root, "linux"), "namespaces"));
	json_decref(root);
	return error;
}
