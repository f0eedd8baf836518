/* steer.bpf.c as compiled: an ELF file that the build puts into the program. */
#pragma once

extern const unsigned char port_xsk_program[];
extern const unsigned long port_xsk_program_len;
