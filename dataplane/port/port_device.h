/*
 * The `device:` of the configuration, taken apart. Needs no device and no privilege, so a
 * configuration can be checked on another machine.
 */
#pragma once

#include "base/bytes.h"

/* Kind, word in the configuration, what the argument is called in messages (NULL: it may be absent)
 */
#define PORT_DEVICE_KINDS(X)                                                                       \
	X(PORT_TAP, "tap", NULL)                                                                   \
	X(PORT_AF_PACKET, "af_packet", "interface")                                                \
	X(PORT_AF_XDP, "af_xdp", "interface")                                                      \
	X(PORT_AF_XDP_SHARED, "af_xdp-shared", "interface")                                        \
	X(PORT_MEMIF, "memif", NULL)                                                               \
	X(PORT_PCI, "pci", "PCI address")

#define PORT_DEVICE_ENUM_(id, word, argument) id,
enum port_kind { PORT_DEVICE_KINDS(PORT_DEVICE_ENUM_) PORT_KIND_COUNT };

#define PORT_TAP_NAME   "postern0"
#define PORT_MEMIF_PATH "/run/postern/memif.sock"

struct port_device {
	enum port_kind kind;
	char name[32];     /* interface, or PCI address with its domain */
	char path[108];    /* memif: its socket */
	bool memif_client; /* memif: connects to the socket instead of listening there */
};

const char *port_kind_word(enum port_kind kind);

/* 0, or -EINVAL with the reason in `why`. */
int port_device_parse(struct bytes text, struct port_device *device, struct text *why);
