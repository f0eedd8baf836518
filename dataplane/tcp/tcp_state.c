#include "dataplane/tcp/tcp_state_priv.h"

#include "dataplane/tcp/tcp_ack_priv.h"
#include "dataplane/tcp/tcp_check_priv.h"
#include "dataplane/tcp/tcp_syn_sent_priv.h"
#include "dataplane/tcp/tcp_text_priv.h"

static const tcp_step_fn table[TCP_STATE_COUNT][TCP_STEP_COUNT] = {
	/* clang-format off */
	/*                     sequence            RST                 SYN                 ACK                  text             FIN */
	[TCP_CLOSED]       = { NULL,               NULL,               NULL,               NULL,                NULL,            NULL },
	[TCP_SYN_SENT]     = { tcp_syn_sent_ack,   tcp_syn_sent_rst,   tcp_syn_sent_syn,   NULL,                NULL,            NULL },
	[TCP_SYN_RECEIVED] = { tcp_check_handshake, tcp_check_rst_handshake, tcp_check_syn_handshake, tcp_ack_handshake, tcp_text_receive, tcp_text_fin },
	[TCP_ESTABLISHED]  = { tcp_check_sequence, tcp_check_rst,      tcp_check_syn,      tcp_ack_open,        tcp_text_receive, tcp_text_fin },
	[TCP_FIN_WAIT_1]   = { tcp_check_sequence, tcp_check_rst,      tcp_check_syn,      tcp_ack_fin_wait_1,  tcp_text_receive, tcp_text_fin },
	[TCP_FIN_WAIT_2]   = { tcp_check_sequence, tcp_check_rst,      tcp_check_syn,      tcp_ack_open,        tcp_text_receive, tcp_text_fin },
	[TCP_CLOSE_WAIT]   = { tcp_check_sequence, tcp_check_rst,      tcp_check_syn,      tcp_ack_open,        tcp_text_late,   NULL },
	[TCP_CLOSING]      = { tcp_check_sequence, tcp_check_rst_last, tcp_check_syn,      tcp_ack_closing,     tcp_text_late,   NULL },
	[TCP_LAST_ACK]     = { tcp_check_sequence, tcp_check_rst_last, tcp_check_syn,      tcp_ack_last,        tcp_text_late,   NULL },
	/* clang-format on */
};

void tcp_state_run(struct tcp_conn *conn, struct tcp_in *in)
{
	for (int step = 0; step < TCP_STEP_COUNT; step++) {
		/* Looked up anew at each step: the ACK of a handshake opens the rest of the row
		 * below. */
		tcp_step_fn fn = table[conn->state][step];

		if (fn && fn(conn, in) != TCP_STEP_NEXT)
			return;
	}
}
