/*
 * The message table as data, and the one place where a peer's message is
 * checked.  Pure: bytes in, verdict out.  We must distrust these bytes.
 */
#include <errno.h>
#include <string.h>
#include "cleanup.h"
#include "message.h"

#define MSG(NAME, name, number, from, to, states, fds, pad, reply) \
	{ #NAME, number, sizeof(struct msg_##name), from, to, states, fds, pad, MSG_##reply },
const struct message_row message_rows[] = {
#include "messages.def"
};
#undef MSG
const size_t message_row_count = ARRAY_SIZE(message_rows);

/* Every row's own claims hold together, or it does not compile. */
#define MSG(NAME, name, number, from, to, states, fds, pad, reply)                          \
	_Static_assert((fds) <= MSG_FDS_MAX, #NAME ": more descriptors than a message takes"); \
	_Static_assert((pad) + sizeof(struct msg_header) <= sizeof(struct msg_##name), #NAME ": pad");
#include "messages.def"
#undef MSG

const struct message_row *message_row(uint16_t type)
{
	for (size_t i = 0; i < message_row_count; i++)
		if (message_rows[i].type == type)
			return &message_rows[i];
	return NULL;
}

static int all_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return 0;
	return 1;
}

static const char *check(const uint8_t *bytes, size_t size, unsigned fds, enum process sender,
			 enum process receiver, enum channel_state state)
{
	struct msg_header h;
	const struct message_row *row;

	if (size < sizeof(h))
		return "size";
	memcpy(&h, bytes, sizeof(h));
	row = message_row(h.type);
	if (!row)
		return "type";
	if (size != row->size)
		return "size";
	if (!(row->senders & sender) || !(row->receivers & receiver))
		return "direction";
	if (!(row->states & state))
		return "state";
	if (fds != row->fds)
		return "descriptors";
	if (h.zero16 || h.zero32 || !all_zero(bytes + size - row->pad, row->pad))
		return "padding";
	return NULL;
}

int message_check(const void *bytes, size_t size, unsigned fds, enum process sender, enum process receiver,
		  enum channel_state state, const char **why)
{
	const char *failed = check(bytes, size, fds, sender, receiver, state);

	if (why)
		*why = failed;
	return failed ? -EBADMSG : 0;
}

int sandbox_id_valid(const char id[SANDBOX_ID_LENGTH])
{
	for (int i = 0; i < SANDBOX_ID_LENGTH; i++)
		if (!((id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'f')))
			return 0;
	return 1;
}
