#pragma once

/* The result words of RFC 8601 §2.7, shared by every method; names come from this one list. */
#define AUTH_RESULTS(X)                                                                            \
	X(NONE, "none")                                                                            \
	X(PASS, "pass")                                                                            \
	X(FAIL, "fail")                                                                            \
	X(SOFTFAIL, "softfail")                                                                    \
	X(NEUTRAL, "neutral")                                                                      \
	X(POLICY, "policy")                                                                        \
	X(TEMPERROR, "temperror")                                                                  \
	X(PERMERROR, "permerror")

enum auth_result {
#define X(name, word) AUTH_##name,
	AUTH_RESULTS(X)
#undef X
		AUTH_RESULT_COUNT
};

/* "pass", ... ; never NULL. */
const char *auth_result_word(enum auth_result result);
