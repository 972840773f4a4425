/* SPDX-License-Identifier: MIT */
/*
 * Linux's system calls, as musl makes them: each is a call of the layer in
 * user/lib/posix.  This stands before musl's own file of the same name.
 */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

/* Flag of the calls of System V IPC, as on x86-64. */
#define IPC_64 0

hidden long __portolan_syscall(long n, long a, long b, long c, long d, long e,
                               long f);

static inline long
__syscall0(long n)
{
    return __portolan_syscall(n, 0, 0, 0, 0, 0, 0);
}

static inline long
__syscall1(long n, long a)
{
    return __portolan_syscall(n, a, 0, 0, 0, 0, 0);
}

static inline long
__syscall2(long n, long a, long b)
{
    return __portolan_syscall(n, a, b, 0, 0, 0, 0);
}

static inline long
__syscall3(long n, long a, long b, long c)
{
    return __portolan_syscall(n, a, b, c, 0, 0, 0);
}

static inline long
__syscall4(long n, long a, long b, long c, long d)
{
    return __portolan_syscall(n, a, b, c, d, 0, 0);
}

static inline long
__syscall5(long n, long a, long b, long c, long d, long e)
{
    return __portolan_syscall(n, a, b, c, d, e, 0);
}

static inline long
__syscall6(long n, long a, long b, long c, long d, long e, long f)
{
    return __portolan_syscall(n, a, b, c, d, e, f);
}
