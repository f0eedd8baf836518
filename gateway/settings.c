#include "gateway/settings.h"

#include <errno.h>
#include <stdlib.h>

int settings_new(struct config *config, struct settings **out, struct text *why)
{
	struct settings *settings = calloc(1, sizeof(*settings));
	int error;

	if (!settings) {
		config_free(config);
		return -ENOMEM;
	}
	settings->config = config;
	error = recipients_new((const char *const *)config->domains, config->n_domains,
		config->postmaster, config->recipients.file, &settings->recipients, why);
	if (error)
		settings_free(settings);
	else
		*out = settings;
	return error;
}

void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	recipients_free(settings->recipients);
	config_free(settings->config);
	free(settings);
}
