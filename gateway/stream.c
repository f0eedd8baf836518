#include "gateway/stream.h"

#include "dataplane/kernel/kernel_port.h"
#include "dataplane/tcp/tcp.h"

/* Each transport's calls behind the table; they differ in the type of the handle alone. */
#define STREAM_OPS(prefix, type)                                                                   \
	static struct bytes prefix##_stream_peek(const void *conn)                                 \
	{                                                                                          \
		return prefix##_peek((const struct type *)conn);                                   \
	}                                                                                          \
	static void prefix##_stream_consume(void *conn, uint32_t n)                                \
	{                                                                                          \
		prefix##_consume((struct type *)conn, n);                                          \
	}                                                                                          \
	static uint32_t prefix##_stream_send(void *conn, struct bytes bytes)                       \
	{                                                                                          \
		return prefix##_send((struct type *)conn, bytes);                                  \
	}                                                                                          \
	static void prefix##_stream_set_receive_window(void *conn, uint32_t octets)                \
	{                                                                                          \
		prefix##_set_receive_window((struct type *)conn, octets);                          \
	}                                                                                          \
	static void prefix##_stream_close(void *conn)                                              \
	{                                                                                          \
		prefix##_close((struct type *)conn);                                               \
	}                                                                                          \
	static void prefix##_stream_abort(void *conn)                                              \
	{                                                                                          \
		prefix##_abort((struct type *)conn);                                               \
	}                                                                                          \
	static void prefix##_stream_release(void *conn)                                            \
	{                                                                                          \
		prefix##_release((struct type *)conn);                                             \
	}                                                                                          \
	static void prefix##_stream_peer(const void *conn, struct ip_addr *addr)                   \
	{                                                                                          \
		uint16_t port;                                                                     \
		prefix##_peer((const struct type *)conn, addr, &port);                             \
	}                                                                                          \
	static void prefix##_stream_set_user(void *conn, void *user)                               \
	{                                                                                          \
		prefix##_set_user((struct type *)conn, user);                                      \
	}                                                                                          \
	static void *prefix##_stream_user(const void *conn)                                        \
	{                                                                                          \
		return prefix##_user((const struct type *)conn);                                   \
	}                                                                                          \
	const struct stream_ops stream_##prefix = {prefix##_stream_peek, prefix##_stream_consume,  \
		prefix##_stream_send, prefix##_stream_set_receive_window, prefix##_stream_close,   \
		prefix##_stream_abort, prefix##_stream_release, prefix##_stream_peer,              \
		prefix##_stream_set_user, prefix##_stream_user};

STREAM_OPS(tcp, tcp_conn)
STREAM_OPS(kernel, kernel_conn)
