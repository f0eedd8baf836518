#include "gateway/control/config_report.h"
#include "gateway/daemon.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
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

/* Serve the control socket until a signal ends it. */
static void serve(struct daemon *daemon, int signals)
{
	struct pollfd waits[] = {{.fd = signals, .events = POLLIN},
		{.fd = daemon_control_fd(daemon), .events = POLLIN}};

	while (!(waits[0].revents & POLLIN)) {
		/* DPDK's tap device interrupts with signals of its own. */
		if (poll(waits, 2, -1) < 0 && errno != EINTR)
			return;
		if (waits[1].revents & POLLIN)
			daemon_control(daemon);
	}
}

static int run(const struct config *config)
{
	char buffer[512];
	struct daemon *daemon;
	struct text why;
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	/* Blocked before any thread is made, so that only signalfd sees them. */
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	fd = signalfd(-1, &signals, SFD_CLOEXEC);
	signal(SIGPIPE, SIG_IGN);
	text_init(&why, buffer, sizeof(buffer));
	if (daemon_start(config, &daemon, &why) != 0) {
		fprintf(stderr, "posternd: %s\n", text_str(&why));
		return EXIT_FAILURE;
	}
	sd_notify(0, "READY=1");
	serve(daemon, fd);
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
