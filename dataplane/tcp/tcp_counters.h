/* Counters of the TCP stack (tcp_counters.def). */
#pragma once

#include "base/counters.h"
#include "dataplane/tcp/tcp_counters.def"

COUNTERS_DECLARE(tcp, TCP_COUNTERS)
