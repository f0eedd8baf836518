# Files what the gateway has quarantined into Junk. For Dovecot with Pigeonhole: put it into the folder that
# `sieve_before` names, and compile it there with sievec. The field can be trusted: inbound fields
# named X-Postern-* are cut by the gateway.
require ["fileinto", "mailbox"];

if header :is "X-Postern-Quarantine" "yes" {
	fileinto :create "Junk";
	stop;
}
