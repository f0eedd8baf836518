#include "auth/result.h"

const char *auth_result_word(enum auth_result result)
{
	static const char *const words[] = {
#define X(name, word) [AUTH_##name] = word,
		AUTH_RESULTS(X)
#undef X
	};

	return result < AUTH_RESULT_COUNT ? words[result] : "none";
}
