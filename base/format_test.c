#include "base/format.h"

#include "base/testing.h"

#include <limits.h>

/* Every case as the C library does it, at every capacity. */

#define OUT_MAX 256

static int ours(char *out, size_t cap, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = format_text(out, cap, format, args);
	va_end(args);
	return len;
}

static int theirs(char *out, size_t cap, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(out, cap, format, args);
	va_end(args);
	return len;
}

#define CHECK(...)                                                                                 \
	do {                                                                                       \
		for (size_t cap = 0; cap < 80; cap++) {                                            \
			char a[OUT_MAX], b[OUT_MAX];                                               \
			memset(a, 'z', sizeof(a));                                                 \
			memset(b, 'z', sizeof(b));                                                 \
			assert_int_equal(ours(a, cap, __VA_ARGS__), theirs(b, cap, __VA_ARGS__));  \
			assert_memory_equal(a, b, sizeof(a));                                      \
		}                                                                                  \
	} while (0)

static void strings_come_out_as_with_printf(void **state)
{
	(void)state;
	CHECK("%s", "");
	CHECK("plain");
	CHECK("100%% of %s, and %s", "this", "that");
	CHECK("%.*s|%.3s|%.0s|%.9s", 2, "abc", "abcdef", "abc", "abc");
	CHECK("%8s|%-8s|%2s|%-2s|", "abc", "abc", "abc", "abc");
	CHECK("%8.2s|%-8.*s|", "abc", 1, "abc");
	CHECK("%.*s", -1, "all of it");
	CHECK("%c%c|%4c|%-4c|", 'a', 'b', 'c', 'd');
}

static void numbers_come_out_as_with_printf(void **state)
{
	(void)state;
	CHECK("%d %i %u", 0, -1, 1u);
	CHECK("%d %d %u", INT_MAX, INT_MIN, UINT_MAX);
	CHECK("%ld %ld %lu", LONG_MAX, LONG_MIN, ULONG_MAX);
	CHECK("%lld %lld %llu", LLONG_MAX, LLONG_MIN, ULLONG_MAX);
	CHECK("%zu %zd", SIZE_MAX, (ssize_t)-5);
	CHECK("%x %X %02x %02X %llx", 0xabcu, 0xabcu, 7u, 0xfu, ULLONG_MAX);
	CHECK("%5u|%-5u|%05u|%05d|%5d|%-5d|", 42u, 42u, 42u, -42, -42, -42);
	CHECK("%02u:%02u:%02u", 1u, 23u, 456u);
	CHECK("%020llu", 5ull);
}

static void what_is_not_known_goes_to_the_library(void **state)
{
	(void)state;
	CHECK("%s %5.2f %s", "before", 3.14159, "after");
	CHECK("%+d %#x %.3d %hhu", 5, 255u, 7, (unsigned char)9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_come_out_as_with_printf),
		cmocka_unit_test(numbers_come_out_as_with_printf),
		cmocka_unit_test(what_is_not_known_goes_to_the_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
