#include "dataplane/tcp/tcp_counters.h"

COUNTERS_DEFINE(tcp, TCP_COUNTERS)
