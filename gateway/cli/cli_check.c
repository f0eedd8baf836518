#include "gateway/cli/check_machine.h"
#include "gateway/cli/cli.h"
#include "gateway/cli/cli_config.h"
#include "gateway/control/config_report.h"
#include "gateway/memory_plan.h"
#include "gateway/policy/recipients.h"
#include "gateway/signing_key.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

/*
 * postern check: whether the daemon would start with a file. The file itself, what it names, and
 * the memory that it asks for.
 */

static int run(int argc, char **argv);

const struct cli_command cli_check = {
	.name = "check",
	.synopsis = "[-c FILE]",
	.help = "tell what is wrong with a configuration, and how much memory it may take",
	.run = run,
};

struct config *cli_config_load(const char *path)
{
	struct config_errors errors;
	struct config *config;

	if (config_load(path, &config, &errors) == 0)
		return config;
	config_report(path, &errors);
	return NULL;
}

static bool check_recipients(const char *path, const struct config *config)
{
	struct recipients *recipients;
	char buffer[512];
	struct text why;

	text_init(&why, buffer, sizeof(buffer));
	if (recipients_new((const char *const *)config->domains, config->n_domains,
		    config->postmaster, config->recipients.file, &recipients, &why) == 0) {
		recipients_free(recipients);
		return true;
	}
	fprintf(stderr, "%s: %s\n", path, text_str(&why));
	return false;
}

static bool check_access(const char *path, const char *key, const char *name, int mode)
{
	if (!name || access(name, mode) == 0)
		return true;
	fprintf(stderr, "%s: %s: %s: %s\n", path, key, name, strerror(errno));
	return false;
}

static bool check_seal(const char *path, const struct config *config)
{
	struct dkim_signer *signer = NULL;
	char buffer[512];
	struct text why;

	text_init(&why, buffer, sizeof(buffer));
	if (config->auth.seal_key && signing_key_load(config->auth.seal_key, &signer, &why) != 0) {
		fprintf(stderr, "%s: auth.seal.key: %s\n", path, text_str(&why));
		return false;
	}
	dkim_signer_free(signer);
	return true;
}

static bool check_files(const char *path, const struct config *config)
{
	bool good = check_access(path, "spool.path", config->spool.path, R_OK | W_OK | X_OK);

	good &= check_access(path, "dns.zone", config->dns.zone, R_OK);
	if (!config->dns.zone && config->dns.n_forward == 0)
		good &= check_access(path, "dns.root_key", config->dns.root_key, R_OK);
	good &= check_seal(path, config);
	return check_recipients(path, config) && good;
}

static int run(int argc, char **argv)
{
	const char *path = CLI_CONFIG_DEFAULT;
	struct config *config;
	int option, code;

	while ((option = getopt(argc, argv, "c:")) != -1) {
		if (option != 'c')
			return cli_usage(&cli_check, "that option is not known");
		path = optarg;
	}
	if (optind < argc)
		return cli_usage(&cli_check, "%s is not expected", argv[optind]);
	config = cli_config_load(path);
	if (!config)
		return CLI_CONFIG;
	code = check_files(path, config) && check_machine(path, config) ? CLI_OK : CLI_CONFIG;
	if (code == CLI_OK) {
		memory_plan_print(config, stdout);
		printf("%s is good\n", path);
	}
	config_free(config);
	return code;
}
