#include "dataplane/tcp/tcp_path_priv.h"

#include "dataplane/tcp/tcp_loss_priv.h"
#include "dataplane/tcp/tcp_ready_priv.h"

#define HEADERS_V4 40u
#define HEADERS_V6 60u
/* No path is narrower in earnest: what claims so is after tiny segments (RFC 5927 §7.2). */
#define MTU_MIN_V4 552u
#define MTU_MIN_V6 1280u

/* What is tried where large segments vanish: every tunnel carries 1280 (RFC 8200 §5), if not, the
 * least. */
static const uint16_t hole_mtus[] = {1280, MTU_MIN_V4};

static uint32_t headers(const struct tcp_conn *conn)
{
	return ip_addr_is_v4(&conn->tuple.peer) ? HEADERS_V4 : HEADERS_V6;
}

static uint32_t least_mtu(const struct tcp_conn *conn)
{
	return ip_addr_is_v4(&conn->tuple.peer) ? MTU_MIN_V4 : MTU_MIN_V6;
}

/* False if segments are that small already. */
static bool narrow(struct tcp_conn *conn, uint32_t mtu, uint64_t now_us)
{
	uint32_t mss = mtu - headers(conn);

	if (mss >= conn->snd_mss)
		return false;
	conn->snd_mss = (uint16_t)mss;
	conn->narrow_s = (uint32_t)(now_us / 1000000) + TCP_PATH_RAISE_S;
	return true;
}

void tcp_path_too_big(struct tcp_conn *conn, uint32_t mtu, uint64_t now_us)
{
	/* An old router says 0. */
	if (!narrow(conn, mtu < least_mtu(conn) ? least_mtu(conn) : mtu, now_us))
		return;
	tcp_count(conn->stack, TCP_N_ICMP_TOO_BIG);
	if (conn->state >= TCP_ESTABLISHED) {
		tcp_loss_rewind(conn);
		tcp_ready_output(conn);
	}
}

void tcp_path_timeout(struct tcp_conn *conn, uint64_t now_us)
{
	if (conn->rtt.backoff % TCP_PATH_HOLE_TIMEOUTS != 0 ||
		conn->send.len < tcp_conn_payload(conn))
		return;
	for (unsigned i = 0; i < sizeof(hole_mtus) / sizeof(hole_mtus[0]); i++) {
		if (hole_mtus[i] < least_mtu(conn) || !narrow(conn, hole_mtus[i], now_us))
			continue;
		tcp_count(conn->stack, TCP_N_PATH_BLACK_HOLES);
		return;
	}
}

void tcp_path_raise(struct tcp_conn *conn, uint64_t now_us)
{
	/* Modulo 2^32 seconds: a century. */
	if ((int32_t)((uint32_t)(now_us / 1000000) - conn->narrow_s) < 0)
		return;
	conn->snd_mss = conn->full_mss;
	tcp_count(conn->stack, TCP_N_PATH_RAISED);
}
