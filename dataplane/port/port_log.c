#include "dataplane/port/port_priv.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <xdp/libxdp.h>

#include <rte_log.h>

/* Enough for the handful of lines that DPDK writes when a device does not open. */
#define PORT_LOG_KEPT 1024

static struct {
	pthread_mutex_t lock; /* DPDK's own threads may log too; no io path ever does */
	FILE *stream;
	size_t len;
	char text[PORT_LOG_KEPT];
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Line ends become "; ", so that a reason stays one line; what no longer fits is left out. */
static ssize_t keep(void *cookie, const char *buf, size_t len)
{
	(void)cookie;
	pthread_mutex_lock(&kept.lock);
	for (size_t i = 0; i < len && kept.len + 2 < sizeof(kept.text); i++) {
		if (buf[i] != '\n') {
			kept.text[kept.len++] = ascii_is_ctl((unsigned char)buf[i]) ? ' ' : buf[i];
		} else if (kept.len) {
			kept.text[kept.len++] = ';';
			kept.text[kept.len++] = ' ';
		}
	}
	pthread_mutex_unlock(&kept.lock);
	return (ssize_t)len;
}

/* libbpf and libxdp number their levels alike. */
static void keep_print(int level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN && kept.stream)
		vfprintf(kept.stream, format, args);
}

static int keep_bpf(enum libbpf_print_level level, const char *format, va_list args)
{
	keep_print((int)level, format, args);
	return 0;
}

static int keep_xdp(enum libxdp_print_level level, const char *format, va_list args)
{
	keep_print((int)level, format, args);
	return 0;
}

int port_log_start(void)
{
	kept.stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = keep});
	if (!kept.stream)
		return -ENOMEM;
	libbpf_set_print(keep_bpf);
	libxdp_set_print(keep_xdp);
	setvbuf(kept.stream, NULL, _IOLBF, 256);
	return rte_openlog_stream(kept.stream) < 0 ? -EIO : 0;
}

void port_log_stop(void)
{
	if (!kept.stream)
		return;
	rte_openlog_stream(NULL);
	fclose(kept.stream);
	kept.stream = NULL;
}

void port_log_clear(void)
{
	if (kept.stream)
		fflush(kept.stream);
	pthread_mutex_lock(&kept.lock);
	kept.len = 0;
	pthread_mutex_unlock(&kept.lock);
}

bool port_log_any(void)
{
	bool any;

	if (kept.stream)
		fflush(kept.stream);
	pthread_mutex_lock(&kept.lock);
	any = kept.len > 0;
	pthread_mutex_unlock(&kept.lock);
	return any;
}

void port_log_text(struct text *out)
{
	size_t len;

	if (kept.stream)
		fflush(kept.stream);
	pthread_mutex_lock(&kept.lock);
	len = kept.len;
	while (len && (kept.text[len - 1] == ' ' || kept.text[len - 1] == ';'))
		len--;
	text_put(out, bytes_of(kept.text, len));
	pthread_mutex_unlock(&kept.lock);
}
