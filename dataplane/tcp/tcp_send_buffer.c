#include "dataplane/tcp/tcp_send_buffer_priv.h"

static uint32_t room_of(const struct tcp_send_block *block)
{
	return block ? (uint32_t)sizeof(block->data) - block->used : 0;
}

static bool add_block(struct tcp_send_buffer *b, struct slab *blocks)
{
	struct tcp_send_block *block = slab_get(blocks);

	if (!block)
		return false;
	block->next = NULL;
	block->used = 0;
	if (b->tail)
		b->tail->next = block;
	else
		b->head = block;
	b->tail = block;
	return true;
}

uint32_t tcp_send_buffer_append(struct tcp_send_buffer *b, struct slab *blocks, struct bytes bytes)
{
	uint32_t taken = 0;

	while (taken < bytes.len) {
		uint32_t n = room_of(b->tail);

		if (n == 0) {
			if (!add_block(b, blocks))
				break;
			continue;
		}
		if (n > bytes.len - taken)
			n = (uint32_t)(bytes.len - taken);
		memcpy(b->tail->data + b->tail->used, bytes.data + taken, n);
		b->tail->used += n;
		taken += n;
	}
	b->len += taken;
	return taken;
}

unsigned tcp_send_buffer_drop(struct tcp_send_buffer *b, struct slab *blocks, uint32_t n)
{
	unsigned freed = 0;

	b->skipped += n;
	b->len -= n;
	while (b->head && (b->skipped >= b->head->used)) {
		struct tcp_send_block *block = b->head;

		/* A full or last block is done with; one still being filled has nothing after it.
		 */
		b->skipped -= block->used;
		b->cursor_at -= block->used;
		b->head = block->next;
		if (!b->head)
			b->tail = NULL;
		if (b->cursor == block)
			b->cursor = NULL;
		slab_put(blocks, block);
		freed++;
	}
	return freed;
}

void tcp_send_buffer_read(struct tcp_send_buffer *b, uint32_t at, uint32_t n, uint8_t *out)
{
	at += b->skipped; /* from the first octet of the head block on */
	if (!b->cursor || at < b->cursor_at) {
		b->cursor = b->head;
		b->cursor_at = 0;
	}
	while (n > 0) {
		struct tcp_send_block *block = b->cursor;
		uint32_t off = at - b->cursor_at;
		uint32_t part = block->used - off;

		if (off >= block->used) {
			b->cursor_at += block->used;
			b->cursor = block->next;
			continue;
		}
		if (part > n)
			part = n;
		memcpy(out, block->data + off, part);
		out += part;
		at += part;
		n -= part;
	}
}

void tcp_send_buffer_clear(struct tcp_send_buffer *b, struct slab *blocks)
{
	tcp_send_buffer_drop(b, blocks, b->len);
	*b = (struct tcp_send_buffer){0};
}
