#include "dataplane/port/port_priv.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>

#define HUGEPAGE_DIR "/sys/kernel/mm/hugepages"

/* DPDK's own threads on top of the lcores: main, and one for whoever opens the ports. */
#define ENV_SPARE_LCORES 2
/* The shortest slice that the kernel gives. */
#define SLICE_NS 100000

static uint64_t read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long long value = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%llu", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

/* Free hugepages of all sizes, in MiB. */
static uint64_t free_huge_mb(void)
{
	DIR *dir = opendir(HUGEPAGE_DIR);
	uint64_t total_kb = 0;
	struct dirent *entry;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		char path[sizeof(HUGEPAGE_DIR) + sizeof(entry->d_name) + 32];
		unsigned long long kb;

		if (sscanf(entry->d_name, "hugepages-%llukB", &kb) != 1)
			continue;
		snprintf(path, sizeof(path), HUGEPAGE_DIR "/%s/free_hugepages", entry->d_name);
		total_kb += read_number(path) * kb;
	}
	closedir(dir);
	return total_kb / 1024;
}

/* "0@(0,1,4)": DPDK's first lcore is this thread and stays on the CPUs it has. */
static void put_lcores(struct text *out, const cpu_set_t *cpus)
{
	const char *separator = "0@(";

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, cpus)) {
			text_printf(out, "%s%d", separator, cpu);
			separator = ",";
		}
	}
	text_putc(out, ')');
}

static void block_realtime_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		sigaddset(&set, sig);
	pthread_sigmask(how, &set, NULL);
}

/* rte_eal_init() may keep pointers into its arguments, so they live as long as the program. */
static int start_eal(unsigned memory_mb, const cpu_set_t *cpus)
{
	static char memory[16], lcores[CPU_SETSIZE * 5 + 8];
	struct text list;
	char *argv[16];
	int argc = 0;

	snprintf(memory, sizeof(memory), "%u", memory_mb);
	text_init(&list, lcores, sizeof(lcores));
	put_lcores(&list, cpus);
	text_str(&list);
	argv[argc++] = "postern";
	/* Neither way leaves a file behind, nor lets a second process in. */
	if (free_huge_mb() >= memory_mb) {
		argv[argc++] = "--in-memory";
		argv[argc++] = "--single-file-segments";
	} else {
		argv[argc++] = "--no-huge";
		argv[argc++] = "--no-shconf";
	}
	argv[argc++] = "-m";
	argv[argc++] = memory;
	argv[argc++] = "--iova-mode=va";
	argv[argc++] = "--no-telemetry";
	/* An allow list that fits nothing: a PCI device is taken only when port_open() names it. */
	argv[argc++] = "--allow=0000:00:00.0";
	argv[argc++] = "--log-level=*:warning";
	argv[argc++] = "--lcores";
	argv[argc++] = lcores;
	argv[argc] = NULL;
	return rte_eal_init(argc, argv);
}

int port_env_init(unsigned lcores, unsigned memory_mb, struct text *why)
{
	cpu_set_t cpus;
	int rc;

	if (lcores + ENV_SPARE_LCORES > RTE_MAX_LCORE) {
		text_printf(why, "%u io lcores asked for, at most %u can be had", lcores,
			RTE_MAX_LCORE - ENV_SPARE_LCORES);
		return -EINVAL;
	}
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0) {
		text_printf(why, "cannot read the CPU affinity (more than %d CPUs?)", CPU_SETSIZE);
		return -errno;
	}
	rc = port_log_start();
	if (rc < 0) {
		text_printf(why, "no memory for DPDK's log");
		return rc;
	}
	rc = start_eal(memory_mb, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	if (rc < 0) {
		text_printf(why, "DPDK does not start: %s: ", rte_strerror(rte_errno));
		port_log_text(why);
		port_log_stop();
		return rte_errno ? -rte_errno : -EIO;
	}
	port_log_clear();
	/*
	 * Tap devices signal "readable" with a realtime signal to whichever thread lets it in.
	 * DPDK's interrupt thread, made above, does; ours must not have their system calls cut
	 * short.
	 */
	block_realtime_signals(SIG_BLOCK);
	return 0;
}

void port_env_fini(void)
{
	/*
	 * Its memory holds what the interrupt thread knows of memif's sockets, and that thread goes
	 * on until the process ends; there is no file to remove (see start_eal()).
	 */
	if (!port_interrupt_used())
		rte_eal_cleanup();
	port_log_stop();
}

/*
 * Where an lcore shares its CPU, it is to run soon after it is woken rather than long: the same
 * share, in shorter slices (Linux 6.12 on; kernels before take no notice).
 */
static void ask_for_short_slices(void)
{
	/* sched_setattr(2); the kernel's header of it does not go with <sched.h>. */
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime_ns, deadline_ns, period_ns;
	} attr = {.size = sizeof(attr),
		.policy = SCHED_OTHER,
		.nice = getpriority(PRIO_PROCESS, 0),
		.runtime_ns = SLICE_NS};

	if (sched_getscheduler(0) == SCHED_OTHER)
		(void)syscall(SYS_sched_setattr, 0, &attr, 0);
}

int port_env_register_thread(unsigned lcore)
{
	char name[16];

	block_realtime_signals(SIG_BLOCK);
	ask_for_short_slices();
	if (rte_lcore_id() == LCORE_ID_ANY && rte_thread_register() < 0)
		return rte_errno ? -rte_errno : -ENOMEM;
	snprintf(name, sizeof(name), "postern-io%u", lcore);
	pthread_setname_np(pthread_self(), name);
	return 0;
}

void port_env_unregister_thread(void)
{
	rte_thread_unregister();
}
