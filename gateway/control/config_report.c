#include "gateway/control/config_report.h"

#include <stdio.h>

void config_report(const char *path, const struct config_errors *errors)
{
	for (unsigned i = 0; i < errors->n; i++) {
		const struct config_error *e = &errors->error[i];

		if (e->line)
			fprintf(stderr, "%s:%u:%u: %s\n", path, e->line, e->column, e->text);
		else
			fprintf(stderr, "%s: %s\n", path, e->text);
	}
	if (errors->more)
		fprintf(stderr, "%s: and %u more\n", path, errors->more);
}
