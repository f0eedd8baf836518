#pragma once

#include "gateway/control/config.h"

/*
 * Whether this machine has what a configuration names: devices, addresses, routes, users, sockets.
 * Says on stderr what is missing and what to do; "warning" where the daemon would start all the
 * same. false: it would not. Sends nothing.
 */
bool check_machine(const char *path, const struct config *config);
