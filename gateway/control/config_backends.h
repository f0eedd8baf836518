/* One element of delivery.backends: read, printed, compared. */
#pragma once

#include <stdio.h>

#include "gateway/control/config_priv.h"

/* The node's keys; errors are noted where they stand. */
void config_backend_read(
	struct config_reader *reader, yaml_node_t *entry, struct config_backend *backend);
/* As YAML, below delivery.backends. */
void config_backend_print(const struct config_backend *backend, FILE *out);
bool config_backend_same(const struct config_backend *a, const struct config_backend *b);
