#include "gateway/control/config_report.h"
#include "gateway/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>

/* posternd -c FILE: the daemon. Stays in the foreground; SIGTERM and SIGINT drain and end it. */

static void usage(FILE *out)
{
	fputs("usage: posternd -c FILE\n"
	      "The inbound SMTP gateway. FILE is the configuration (default "
	      "/etc/postern/postern.yaml); `postern check -c FILE` tells what is wrong with it.\n",
		out);
}

static void wait_for_the_end(const sigset_t *signals)
{
	int signal;

	while (sigwait(signals, &signal) == 0)
		if (signal == SIGTERM || signal == SIGINT)
			return;
}

static int run(const struct config *config)
{
	char buffer[512];
	struct daemon *daemon;
	struct text why;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	/* Blocked before any thread is made, so that only sigwait() sees them. */
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	text_init(&why, buffer, sizeof(buffer));
	if (daemon_start(config, &daemon, &why) != 0) {
		fprintf(stderr, "posternd: %s\n", text_str(&why));
		return EXIT_FAILURE;
	}
	sd_notify(0, "READY=1");
	wait_for_the_end(&signals);
	sd_notify(0, "STOPPING=1");
	daemon_stop(daemon);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	const char *path = "/etc/postern/postern.yaml";
	struct config_errors errors;
	struct config *config;
	int option, code;

	while ((option = getopt(argc, argv, "c:h")) != -1) {
		switch (option) {
		case 'c': path = optarg; break;
		case 'h': usage(stdout); return EXIT_SUCCESS;
		default: usage(stderr); return EX_USAGE;
		}
	}
	if (optind < argc) {
		usage(stderr);
		return EX_USAGE;
	}
	umask(077);
	if (config_load(path, &config, &errors) != 0) {
		config_report(path, &errors);
		return EX_CONFIG;
	}
	code = run(config);
	config_free(config);
	return code;
}
