/*
 * Decoding and encoding with ldns (packet.h).  Only its wire functions are
 * used: it opens, resolves and prints nothing here.
 */
#include <ldns/ldns.h>
#include <string.h>
#include "packet.h"
#include "query.h"

#define OUR_UDP_SIZE 1232

int packet_walkable(const uint8_t *bytes, size_t size)
{
	ldns_pkt *packet = NULL;
	int good = ldns_wire2pkt(&packet, bytes, size) == LDNS_STATUS_OK;

	ldns_pkt_free(packet);
	return good;
}

static void set_header(ldns_pkt *packet, const struct query *q, unsigned rcode)
{
	ldns_pkt_set_id(packet, wire_id(q->bytes));
	ldns_pkt_set_qr(packet, true);
	ldns_pkt_set_opcode(packet, (ldns_pkt_opcode)wire_opcode(q->bytes));
	ldns_pkt_set_rd(packet, q->bytes[2] & 0x01);
	ldns_pkt_set_cd(packet, q->bytes[3] & 0x10);
	ldns_pkt_set_ra(packet, true);
	ldns_pkt_set_rcode(packet, (uint8_t)rcode);
	if (q->shape.opts) {
		ldns_pkt_set_edns_udp_size(packet, OUR_UDP_SIZE);
		ldns_pkt_set_edns_do(packet, q->shape.edns_do != 0);
	}
}

/* The client's question, its letters in the case that it used. */
static ldns_rr *question_of(const struct query *q)
{
	ldns_rr *rr = NULL;
	size_t at = WIRE_HEADER;

	return ldns_wire2rr(&rr, q->bytes, q->shape.question_end, &at, LDNS_SECTION_QUESTION) ? NULL : rr;
}

static ldns_rdf *text_rdf(const char *text)
{
	uint8_t data[PACKET_TEXT_MAX + 1];
	size_t length = strnlen(text, PACKET_TEXT_MAX);

	data[0] = (uint8_t)length;
	memcpy(data + 1, text, length);
	return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_STR, length + 1, data);
}

static int push_text(ldns_pkt *packet, const ldns_rr *question, const char *text)
{
	ldns_rr *rr = ldns_rr_new();
	ldns_rdf *rdf = text_rdf(text);

	if (!rr || !rdf || !ldns_rr_push_rdf(rr, rdf)) {
		ldns_rdf_deep_free(rdf);
		ldns_rr_free(rr);
		return -1;
	}
	ldns_rr_set_owner(rr, ldns_rdf_clone(ldns_rr_owner(question)));
	ldns_rr_set_type(rr, LDNS_RR_TYPE_TXT);
	ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
	ldns_rr_set_ttl(rr, 0);
	ldns_pkt_set_aa(packet, true);
	return ldns_pkt_push_rr(packet, LDNS_SECTION_ANSWER, rr) ? 0 : -1;
}

static int fill(ldns_pkt *packet, const struct query *q, unsigned rcode, const char *text)
{
	ldns_rr *question;

	set_header(packet, q, rcode);
	if (!q->shape.question_end)
		return 0;
	question = question_of(q);
	if (!question || !ldns_pkt_push_rr(packet, LDNS_SECTION_QUESTION, question))
		return -1;
	return text ? push_text(packet, question, text) : 0;
}

static size_t encode(const ldns_pkt *packet, uint8_t out[PACKET_LOCAL_MAX])
{
	uint8_t *wire = NULL;
	size_t size = 0;

	if (ldns_pkt2wire(&wire, packet, &size) != LDNS_STATUS_OK || size > PACKET_LOCAL_MAX)
		size = 0;
	if (size)
		memcpy(out, wire, size);
	free(wire);
	return size;
}

size_t packet_answer(uint8_t out[PACKET_LOCAL_MAX], const struct query *query, unsigned rcode, const char *text)
{
	ldns_pkt *packet = ldns_pkt_new();
	size_t size = 0;

	if (packet && !fill(packet, query, rcode, text))
		size = encode(packet, out);
	ldns_pkt_free(packet);
	return size;
}

int packet_warm_up(void)
{
	static const uint8_t bytes[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x04warm\x02up\x00\x00\x10\x00\x01"
				       "\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00";
	uint8_t out[PACKET_LOCAL_MAX];
	struct query query;
	size_t size;

	if (query_read(bytes, sizeof(bytes) - 1, &query) != QUERY_FORWARD)
		return -1;
	size = packet_answer(out, &query, RCODE_NOERROR, "warm");
	return size && packet_walkable(out, size) ? 0 : -1;
}
