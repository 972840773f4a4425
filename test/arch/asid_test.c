/* SPDX-License-Identifier: MIT */
/*
 * Numbers of address spaces, with tables that are but a value for CR3, on a
 * processor that is a model: emulators either have no PCIDs or forget more
 * than they have to.
 */
#include <arch/x86/asid.h>
#include <test/test.h>

#define ASID_TEST_SPACES 12
#define ASID_TEST_STEPS  60000

/* What the model of the processor knows under a PCID. */
struct asid_test_known {
    uint64_t root;  /* whose translations; 0: none */
    uint64_t epoch; /* of which state of them */
};

/*
 * Own to the test.
 */
struct asid_test {
    struct asid_cpu cpu;
    struct utable uts[ASID_TEST_SPACES];
    uint64_t epochs[ASID_TEST_SPACES]; /* grow when translations change */
    struct asid_test_known known[ASID_MAX + 1];
    unsigned int loaded;
};

static struct asid_test asid_test;

static uint64_t
asid_test_root(unsigned int n)
{
    return (n + UINT64_C(1)) << 12;
}

/* New tables in the place of old ones. */
static void
asid_test_create(unsigned int n)
{
    asid_test.uts[n] = (struct utable){ .cr3 = asid_test_root(n) };
    asid_test.epochs[n]++;
}

static void
asid_test_begin(uint64_t generation, uint64_t keep)
{
    asid_test = (struct asid_test){
        .cpu = { .generation = generation, .keep = keep },
    };
    for (unsigned int i = 0; i < ASID_TEST_SPACES; i++) {
        asid_test_create(i);
    }
}

/* Load, as a processor does.  Returns: whether nothing wrong is known then */
static bool
asid_test_load(unsigned int n)
{
    uint64_t cr3 = asid_take(&asid_test.cpu, &asid_test.uts[n]);
    struct asid_test_known *known = &asid_test.known[cr3 & CR3_PCID_MASK];

    asid_test.loaded = n;
    if (!(cr3 & CR3_KEEP)) {
        known->root = 0;
    }
    if ((cr3 & ~(CR3_KEEP | CR3_PCID_MASK)) != asid_test_root(n) ||
        (known->root != 0 && (known->root != asid_test_root(n) ||
                              known->epoch != asid_test.epochs[n]))) {
        return false;
    }
    known->root = asid_test_root(n);
    known->epoch = asid_test.epochs[n];
    return true;
}

/* Change the translations of tables that are not loaded. */
static void
asid_test_change(unsigned int n)
{
    if (n != asid_test.loaded) {
        asid_test.epochs[n]++;
        asid_forget(&asid_test.uts[n]);
    }
}

/* Random loads, changes and births, through some generations. */
TEST(asid, nothing_stale_is_used)
{
    asid_test_begin(1, CR3_KEEP);
    for (unsigned int i = 0; i < ASID_TEST_STEPS * t->iterations; i++) {
        unsigned int n = rand_u64(&t->rand) % ASID_TEST_SPACES;

        switch (rand_u64(&t->rand) % 4) {
        case 0:
            asid_test_change(n);
            break;
        case 1:
            if (n != asid_test.loaded) {
                asid_test_create(n);
            }
            break;
        default:
            ASSERT(asid_test_load(n));
            break;
        }
    }
}

/* Or PCIDs were of no use. */
TEST(asid, what_did_not_change_is_kept)
{
    asid_test_begin(1, CR3_KEEP);
    for (unsigned int i = 0; i < ASID_TEST_SPACES; i++) {
        EXPECT(!(asid_take(&asid_test.cpu, &asid_test.uts[i]) & CR3_KEEP));
    }
    for (unsigned int i = 0; i < ASID_TEST_SPACES; i++) {
        uint64_t cr3 = asid_take(&asid_test.cpu, &asid_test.uts[i]);

        EXPECT(cr3 & CR3_KEEP);
        EXPECT_EQ(cr3 & CR3_PCID_MASK, i + 1);
    }
    asid_forget(&asid_test.uts[3]);
    EXPECT(!(asid_take(&asid_test.cpu, &asid_test.uts[3]) & CR3_KEEP));
    EXPECT(asid_take(&asid_test.cpu, &asid_test.uts[3]) & CR3_KEEP);
}

/* Number 0 is the kernel's, and the greatest one is followed by 1. */
TEST(asid, numbers_come_round)
{
    asid_test_begin(1, CR3_KEEP);
    for (unsigned int i = 1; i <= ASID_MAX + 2; i++) {
        uint64_t asid;

        asid_test_create(0);
        asid = asid_take(&asid_test.cpu, &asid_test.uts[0]) & CR3_PCID_MASK;
        EXPECT_EQ(asid, i <= ASID_MAX ? i : i - ASID_MAX);
    }
    EXPECT_EQ(asid_test.cpu.generation, 2);
}

/* Bit 63 is reserved then, and so are numbers. */
TEST(asid, without_pcids_nothing_is_added)
{
    asid_test_begin(0, 0);
    for (unsigned int i = 0; i < 100; i++) {
        unsigned int n = rand_u64(&t->rand) % ASID_TEST_SPACES;

        EXPECT_EQ(asid_take(&asid_test.cpu, &asid_test.uts[n]),
                  asid_test_root(n));
        asid_test_change(rand_u64(&t->rand) % ASID_TEST_SPACES);
    }
}
