#pragma once

#include "gateway/control/config.h"
#include "gateway/control/config_keys.h"

#include <yaml.h>

/* What reading one file shares. */
struct config_reader {
	yaml_document_t *doc;
	struct config *config;
	struct config_errors *errors;
	bool *seen; /* one a key of config_keys */
};

/* Note an error at a node (NULL: the whole file). */
void config_fail(struct config_reader *reader, const yaml_node_t *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Of what is no scalar, which may stand for a name too, nothing. */
static inline struct bytes config_scalar(const yaml_node_t *node)
{
	if (node->type != YAML_SCALAR_NODE)
		return bytes_of(NULL, 0);
	return bytes_of(node->data.scalar.value, node->data.scalar.length);
}

/* A scalar's text, or an error at it: `what` names what was wanted. */
bool config_want_scalar(struct config_reader *reader, const yaml_node_t *node, const char *what,
	struct bytes *text);

/* Copies and blocks that live as long as the configuration; NULL: no memory. */
const char *config_own(struct config *config, struct bytes text, bool is_path);
void *config_alloc(struct config *config, size_t size);

/* Read the node of a list (config_lists.c). */
void config_list_read(
	struct config_reader *reader, const struct config_key *key, yaml_node_t *node);
