/* SPDX-License-Identifier: MIT */
/*
 * The ChaCha20 block function: 64 bytes that look random, of a key and an
 * input.  Without the key nobody can tell them from random ones.
 *
 * Source: RFC 8439, "ChaCha20 and Poly1305 for IETF Protocols".
 */
#ifndef LIB_CHACHA_H
#define LIB_CHACHA_H

#include <stdint.h>

#define CHACHA_KEY_WORDS   8
#define CHACHA_INPUT_WORDS 4
#define CHACHA_BLOCK_WORDS 16

/*
 * Compute a block.
 *
 * @input  the counter and the nonce: not twice the same with one key
 */
void chacha_block(uint32_t block[CHACHA_BLOCK_WORDS],
                  const uint32_t key[CHACHA_KEY_WORDS],
                  const uint32_t input[CHACHA_INPUT_WORDS]);

#endif /* LIB_CHACHA_H */
