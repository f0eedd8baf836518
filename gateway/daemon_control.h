#pragma once

#include "gateway/control/control.h"

/* The commands of the control socket; their `daemon` is a struct daemon. */
extern const struct control_command daemon_commands[];
extern const unsigned daemon_n_commands;
