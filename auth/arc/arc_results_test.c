#include "auth/arc/arc_results.h"

#include "base/testing.h"

static void finds_the_result_of_a_method(void **state)
{
	static const struct {
		const char *aar;
		enum auth_result dmarc;
	} cases[] = {
		{"ARC-Authentication-Results: i=1; mx.example; dmarc=pass header.from=a.example",
			AUTH_PASS},
		{"A: i=1; mx.example 1; spf=fail; dmarc=fail", AUTH_FAIL},
		{"A: i=1; mx.example; dmarc/1=pass", AUTH_PASS},
		{"A: i=1; mx.example; DMARC (a) / (b)\r\n 1 (c) = (d) Pass", AUTH_PASS},
		{"A: i=1; mx.example; dmarc/x=pass; dmarc=fail", AUTH_FAIL},
		{"A: i=1; mx.example; dmarc/=pass", AUTH_NONE},
		{"A: i=1; mx.example; dmarc=\"pass\"", AUTH_PASS},
		{"A: i=1; mx.example; dmarc=bestguesspass", AUTH_PERMERROR},
		{"A: i=1; mx.example; dmarc=fail; dmarc=pass", AUTH_FAIL},
		{"A: i=1; mx.example; xdmarc=pass; dmarcx=pass", AUTH_NONE},
		{"A: i=1; mx.example; spf=fail (; dmarc=pass)", AUTH_NONE},
		{"A: i=1; mx.example; spf=fail reason=\"; dmarc=pass\"", AUTH_NONE},
		{"A: i=1; mx.example; spf=fail (; dmarc=pass", AUTH_NONE},
		{"A: i=1; mx.example; none", AUTH_NONE},
		{"A", AUTH_NONE},
		{"", AUTH_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum auth_result got = arc_results_find(bytes_str(cases[i].aar), BYTES("dmarc"));
		if (got != cases[i].dmarc)
			fail_msg("%s: %s", cases[i].aar, auth_result_word(got));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_result_of_a_method),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
