/*
 * What the network layer counts. Every packet that is dropped is counted under exactly one name.
 */
#pragma once

#include "base/counters.h"

#define NET_COUNTERS(X)                                                                            \
	X(NET_ETH_RUNT, "net_eth_runt", "frames shorter than an Ethernet header")                  \
	X(NET_ETH_OTHER, "net_eth_other", "frames to or from a station that is not for us")        \
	X(NET_ETH_TYPE, "net_eth_type", "frames of a type that is not handled")                    \
	X(NET_ARP_BAD, "net_arp_bad", "ARP packets malformed or from an impossible address")       \
	X(NET_ARP_OTHER, "net_arp_other", "ARP packets that do not concern us")                    \
	X(NET_ARP_REPLIES, "net_arp_replies", "ARP replies sent")                                  \
	X(NET_ND_BAD, "net_nd_bad", "neighbour discovery packets that RFC 4861 has us ignore")     \
	X(NET_ND_OTHER, "net_nd_other", "neighbour discovery packets that do not concern us")      \
	X(NET_ND_ADVERTS, "net_nd_adverts", "neighbour advertisements sent")                       \
	X(NET_MLD_QUERIES, "net_mld_queries", "multicast listener queries answered")               \
	X(NET_MLD_REPORTS, "net_mld_reports", "multicast listener reports sent")                   \
	X(NET_ADDRESS_CONFLICT, "net_address_conflict",                                            \
		"another station claims one of our addresses")                                     \
	X(NET_IP_MALFORMED, "net_ip_malformed", "IP packets with an impossible header")            \
	X(NET_IP_TRUNCATED, "net_ip_truncated", "IP packets longer than the frame they came in")   \
	X(NET_IP_CHECKSUM, "net_ip_checksum", "IPv4 headers with a wrong checksum")                \
	X(NET_IP_OPTIONS, "net_ip_options", "IPv4 packets with source route or broken options")    \
	X(NET_IP_MARTIAN, "net_ip_martian", "IP packets from an address that cannot be a source")  \
	X(NET_IP_NOT_LOCAL, "net_ip_not_local", "IP packets to an address that is not ours")       \
	X(NET_IP_FRAGMENT, "net_ip_fragment", "IP fragments (not reassembled)")                    \
	X(NET_IP_EXTENSION, "net_ip_extension",                                                    \
		"IPv6 packets with extensions or options not taken")                               \
	X(NET_IP_PROTOCOL, "net_ip_protocol", "IP packets of a protocol that is not spoken")       \
	X(NET_DENIED, "net_denied", "TCP segments from networks that are kept out by hand")        \
	X(NET_TCP_CHECKSUM, "net_tcp_checksum", "TCP segments with a wrong checksum")              \
	X(NET_ICMP_BAD, "net_icmp_bad", "ICMP packets malformed or with a wrong checksum")         \
	X(NET_ICMP_IGNORED, "net_icmp_ignored", "ICMP packets of a type that needs no answer")     \
	X(NET_ICMP_QUOTE, "net_icmp_quote", "ICMP errors that quote nothing of our TCP")           \
	X(NET_ICMP_ERRORS, "net_icmp_errors", "ICMP errors handed to TCP")                         \
	X(NET_ECHO_REPLIES, "net_echo_replies", "ICMP echo requests answered")                     \
	X(NET_LIMIT_ECHO, "net_limit_echo", "echo requests not answered: rate limit")              \
	X(NET_LIMIT_ERROR, "net_limit_error", "ICMP errors not handed to TCP: rate limit")         \
	X(NET_LIMIT_ANSWER, "net_limit_answer", "ARP and NDP questions not answered: rate limit")  \
	X(NET_LIMIT_SOLICIT, "net_limit_solicit", "ARP and NDP questions not asked: rate limit")   \
	X(NET_SOLICITS, "net_solicits", "ARP and NDP questions asked")                             \
	X(NET_NEIGH_LEARNED, "net_neigh_learned", "neighbours learned")                            \
	X(NET_NEIGH_FAILED, "net_neigh_failed", "neighbours that did not answer")                  \
	X(NET_NEIGH_EVICTED, "net_neigh_evicted", "neighbours forgotten for others")               \
	X(NET_NEIGH_FULL, "net_neigh_full", "packets dropped: no room for one more neighbour")     \
	X(NET_NEIGH_PENDING, "net_neigh_pending", "packets dropped: too many wait for neighbours") \
	X(NET_NEIGH_UNREACHED, "net_neigh_unreached", "packets dropped: the neighbour is silent")  \
	X(NET_NO_ROUTE, "net_no_route", "packets dropped: peer not on link and no gateway")        \
	X(NET_TX_INVALID, "net_tx_invalid", "packets to send over the MTU or without headroom")    \
	X(NET_TX_FULL, "net_tx_full", "packets dropped: transmit list full")                       \
	X(NET_NO_BUFFER, "net_no_buffer", "answers not sent: packet pool empty")                   \
	X(NET_NEWS_FULL, "net_news_full", "neighbours not told to other lcores: list full")        \
	X(NET_RX_TCP, "net_rx_tcp", "TCP segments received")                                       \
	X(NET_TX_TCP, "net_tx_tcp", "TCP segments sent")

COUNTERS_DECLARE(net, NET_COUNTERS)
