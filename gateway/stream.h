#pragma once

#include "base/bytes.h"
#include "base/ip_addr.h"

/*
 * What a session sees of its connection: a stream of our own TCP, or of a kernel socket for senders
 * on this machine (DESIGN §1). The meaning of each call is tcp.h's.
 */
struct stream_ops {
	struct bytes (*peek)(const void *conn);
	void (*consume)(void *conn, uint32_t n);
	uint32_t (*send)(void *conn, struct bytes bytes);
	void (*set_receive_window)(void *conn, uint32_t octets);
	void (*close)(void *conn);   /* the handle is gone */
	void (*abort)(void *conn);   /* the handle is gone */
	void (*release)(void *conn); /* after failure or close: the handle is gone */
	void (*peer)(const void *conn, struct ip_addr *addr);
	void (*set_user)(void *conn, void *user);
	void *(*user)(const void *conn);
};

struct stream {
	const struct stream_ops *ops;
	void *conn;
};

extern const struct stream_ops stream_tcp;    /* conn: struct tcp_conn */
extern const struct stream_ops stream_kernel; /* conn: struct kernel_conn */

static inline struct bytes stream_peek(struct stream s)
{
	return s.ops->peek(s.conn);
}

static inline void stream_consume(struct stream s, uint32_t n)
{
	s.ops->consume(s.conn, n);
}

static inline uint32_t stream_send(struct stream s, struct bytes bytes)
{
	return s.ops->send(s.conn, bytes);
}

static inline void stream_set_receive_window(struct stream s, uint32_t octets)
{
	s.ops->set_receive_window(s.conn, octets);
}

/* Close or abort: nothing of it is seen by its user any more. */
static inline void stream_close(struct stream s)
{
	s.ops->set_user(s.conn, NULL);
	s.ops->close(s.conn);
}

static inline void stream_abort(struct stream s)
{
	s.ops->set_user(s.conn, NULL);
	s.ops->abort(s.conn);
}
