/* Intel's ipsec-mb behind one function, for the benchmark to compare with: CBC encryption of many pages in place through
 * its job interface, which runs 8 or 16 chains at a time. Compiled and loaded by the benchmark where the library is
 * installed (Debian's libipsec-mb-dev). */

#include <intel-ipsec-mb.h>
#include <stddef.h>
#include <stdint.h>

static IMB_MGR *manager;
static DECLARE_ALIGNED(uint32_t encrypting[15 * 4], 16);
static DECLARE_ALIGNED(uint32_t decrypting[15 * 4], 16);

/* Expands a key of 32 bytes. Zero when the library does not work here. */
int peer_start(const uint8_t *key)
{
    manager = alloc_mb_mgr(0);
    if (manager == NULL)
        return 0;
    init_mb_mgr_auto(manager, NULL);
    if (imb_get_errno(manager) != 0)
        return 0;
    IMB_AES_KEYEXP_256(manager, key, encrypting, decrypting);
    return 1;
}

static void submit(uint8_t *data, size_t bytes, const uint8_t *iv)
{
    IMB_JOB *job = IMB_GET_NEXT_JOB(manager);
    job->cipher_mode = IMB_CIPHER_CBC;
    job->cipher_direction = IMB_DIR_ENCRYPT;
    job->chain_order = IMB_ORDER_CIPHER_HASH;
    job->hash_alg = IMB_AUTH_NULL;
    job->enc_keys = encrypting;
    job->dec_keys = decrypting;
    job->key_len_in_bytes = 32;
    job->src = data;
    job->dst = data;
    job->cipher_start_src_offset_in_bytes = 0;
    job->msg_len_to_cipher_in_bytes = bytes;
    job->iv = iv;
    job->iv_len_in_bytes = 16;
    IMB_SUBMIT_JOB(manager);
}

static void flush(void)
{
    while (IMB_FLUSH_JOB(manager) != NULL)
        ;
}

/* Encrypts `count` pages that lie `stride` bytes apart: `bytes` from `data` on, then their last 32 bytes again. */
void peer_encrypt(uint8_t *data, size_t stride, size_t bytes, size_t count, const uint8_t *ivs)
{
    for (size_t page = 0; page < count; page++)
        submit(data + page * stride, bytes / 16 * 16, ivs + 16 * page);
    flush();
    for (size_t page = 0; page < count; page++)
        submit(data + page * stride + bytes - 32, 32, ivs + 16 * page);
    flush();
}
