/* The parser agrees with inet_pton() on what is an address, and prints what it can read again. */
#include <arpa/inet.h>
#include <stdlib.h>

#include "base/ip_addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
	if (!truth)
		abort();
}

static void check_against_libc(struct bytes text, int result, const struct ip_addr *a)
{
	char copy[64];
	uint8_t v4[4], v6[16];

	if (text.len >= sizeof(copy) || bytes_find(text, '\0') != BYTES_NPOS)
		return;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, v4) == 1)
		require(result == 0 && memcmp(a->octets + 12, v4, 4) == 0);
	else if (inet_pton(AF_INET6, copy, v6) == 1)
		require(result == 0 && memcmp(a->octets, v6, 16) == 0);
	else
		require(result != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	char out[IP_ADDR_TEXT_MAX], cidr[IP_CIDR_TEXT_MAX];
	struct ip_addr a, again;
	struct ip_cidr net, net_again;
	int result = ip_addr_parse(text, &a);

	check_against_libc(text, result, &a);
	if (result == 0) {
		ip_addr_format(&a, out);
		require(ip_addr_parse(bytes_str(out), &again) == 0 && ip_addr_eq(&a, &again));
	}
	if (ip_cidr_parse(text, false, &net) == 0) {
		require(ip_cidr_match(&net, &net.addr));
		ip_cidr_format(&net, cidr);
		require(ip_cidr_parse(bytes_str(cidr), true, &net_again) == 0);
		require(net_again.prefix_len == net.prefix_len);
	}
	return 0;
}
