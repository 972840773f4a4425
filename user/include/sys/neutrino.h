/* SPDX-License-Identifier: MIT */
/*
 * Messages as programs for QNX know them.
 *
 * Functions return -1 and set errno; those whose names end in _r return -errno
 * instead.  What each does is told in QNX's documentation, and doc/sdk.md has
 * the differences.
 */
#ifndef SYS_NEUTRINO_H
#define SYS_NEUTRINO_H

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <sys/siginfo.h>
#include <sys/states.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct iovec iov_t;
typedef int rcvid_t;

#define SETIOV(iov, addr, len)                                                 \
    ((iov)->iov_base = (void *)(addr), (iov)->iov_len = (size_t)(len))
#define SETIOV_CONST(iov, addr, len)                                           \
    ((iov)->iov_base = (void *)(uintptr_t)(addr), (iov)->iov_len = (len))
#define GETIOVBASE(iov) ((iov)->iov_base)
#define GETIOVLEN(iov)  ((iov)->iov_len)

/* Connections. */
#define ND_LOCAL_NODE         0
#define _NTO_SIDE_CHANNEL     0x40000000
#define SYSMGR_COID           _NTO_SIDE_CHANNEL
#define SYSMGR_PID            1
#define SYSMGR_CHID           1
#define SYSMGR_HANDLE         0
#define _NTO_COF_CLOEXEC      0x0001
#define _NTO_COF_DEAD         0x0002
#define _NTO_COF_NOSHARE      0x0040
#define _NTO_COF_NOEVENT      0x0800
#define _NTO_COF_INSECURE     0x1000
#define _NTO_COF_REG_EVENTS   0x2000
#define _NTO_CONNECTION_SCOID 0x10000
#define _NTO_GLOBAL_CHANNEL   0x40000000

/* Channels. */
#define _NTO_CHF_FIXED_PRIORITY  0x0001
#define _NTO_CHF_UNBLOCK         0x0002
#define _NTO_CHF_THREAD_DEATH    0x0004
#define _NTO_CHF_DISCONNECT      0x0008
#define _NTO_CHF_NET_MSG         0x0010
#define _NTO_CHF_SENDER_LEN      0x0020
#define _NTO_CHF_COID_DISCONNECT 0x0040
#define _NTO_CHF_REPLY_LEN       0x0080
#define _NTO_CHF_PULSE_POOL      0x0100
#define _NTO_CHF_ASYNC_NONBLOCK  0x0200
#define _NTO_CHF_ASYNC           0x0400
#define _NTO_CHF_GLOBAL          0x0800
#define _NTO_CHF_PRIVATE         0x1000
#define _NTO_CHF_MSG_PAUSING     0x2000
#define _NTO_CHF_INHERIT_RUNMASK 0x4000
#define _NTO_CHF_UNBLOCK_TIMER   0x8000

/* Pulses; those of programs have codes from 0 to 127. */
#define _PULSE_CODE_UNBLOCK         (-32)
#define _PULSE_CODE_DISCONNECT      (-33)
#define _PULSE_CODE_THREADDEATH     (-34)
#define _PULSE_CODE_COIDDEATH       (-35)
#define _PULSE_CODE_NET_ACK         (-36)
#define _PULSE_CODE_NET_UNBLOCK     (-37)
#define _PULSE_CODE_NET_DETACH      (-38)
#define _PULSE_CODE_RESTART         (-39)
#define _PULSE_CODE_NORESTART       (-40)
#define _PULSE_CODE_UNBLOCK_RESTART (-41)
#define _PULSE_CODE_UNBLOCK_TIMER   (-42)
#define _PULSE_CODE_MINAVAIL        0
#define _PULSE_CODE_MAXAVAIL        127
#define _PULSE_TYPE                 0
#define _PULSE_SUBTYPE              0

struct _pulse {
    uint16_t type;
    uint16_t subtype;
    int8_t code;
    uint8_t zero[3];
    union sigval value;
    int32_t scoid;
};

/* Flags of _msg_info. */
#define _NTO_MI_ENDIAN_BIG     0x0001
#define _NTO_MI_ENDIAN_DIFF    0x0002
#define _NTO_MI_UNBLOCK_REQ    0x0100
#define _NTO_MI_NET_CRED_DIRTY 0x0200
#define _NTO_MI_CONSTRAINED    0x0400
#define _NTO_MI_CHROOT         0x0800
#define _NTO_MI_BITS_64        0x1000
#define _NTO_MI_BITS_DIFF      0x2000
#define _NTO_MI_SANDBOX        0x4000

struct _msg_info64 {
    uint32_t nd;
    uint32_t srcnd;
    pid_t pid;
    int32_t tid;
    int32_t chid;
    int32_t scoid;
    int32_t coid;
    int16_t priority;
    int16_t flags;
    ssize_t msglen;
    ssize_t srcmsglen;
    ssize_t dstmsglen;
    union {
        struct {
            uint32_t type_id;
            uint32_t reserved;
        };
        uint64_t label; /* that the right was minted with; not in QNX */
    };
};

#define _msg_info _msg_info64

struct _server_info {
    uint32_t nd;
    int32_t pid;
    int32_t chid;
    int32_t scoid;
    int32_t flags;
    int32_t coid;
};

#ifndef NGROUPS_MAX
#define NGROUPS_MAX 32
#endif

struct _cred_info {
    uid_t ruid;
    uid_t euid;
    uid_t suid;
    gid_t rgid;
    gid_t egid;
    gid_t sgid;
    uint32_t ngroups;
    gid_t grouplist[NGROUPS_MAX];
};

struct _client_info {
    uint32_t nd;
    pid_t pid;
    pid_t sid;
    uint32_t flags;
    struct _cred_info cred;
};

/* Time-outs: _NTO_TIMEOUT_... of <sys/states.h> in flags. */
#define _NTO_TIMEOUT_SEND        (1 << STATE_SEND)
#define _NTO_TIMEOUT_RECEIVE     (1 << STATE_RECEIVE)
#define _NTO_TIMEOUT_REPLY       (1 << STATE_REPLY)
#define _NTO_TIMEOUT_SIGSUSPEND  (1 << STATE_SIGSUSPEND)
#define _NTO_TIMEOUT_SIGWAITINFO (1 << STATE_SIGWAITINFO)
#define _NTO_TIMEOUT_NANOSLEEP   (1 << STATE_NANOSLEEP)
#define _NTO_TIMEOUT_MUTEX       (1 << STATE_MUTEX)
#define _NTO_TIMEOUT_CONDVAR     (1 << STATE_CONDVAR)
#define _NTO_TIMEOUT_JOIN        (1 << STATE_JOIN)
#define _NTO_TIMEOUT_INTR        (1 << STATE_INTR)
#define _NTO_TIMEOUT_SEM         (1 << STATE_SEM)

/* A channel and connections to it. */
int ChannelCreate(unsigned int flags);
int ChannelCreate_r(unsigned int flags);
int ChannelDestroy(int chid);
int ChannelDestroy_r(int chid);
int ConnectAttach(uint32_t nd, pid_t pid, int chid, unsigned int index,
                  int flags);
int ConnectAttach_r(uint32_t nd, pid_t pid, int chid, unsigned int index,
                    int flags);
int ConnectDetach(int coid);
int ConnectDetach_r(int coid);
int ConnectFlags(pid_t pid, int coid, unsigned int mask, unsigned int bits);
int ConnectFlags_r(pid_t pid, int coid, unsigned int mask, unsigned int bits);
int ConnectServerInfo(pid_t pid, int coid, struct _server_info *info);
int ConnectServerInfo_r(pid_t pid, int coid, struct _server_info *info);
int ConnectClientInfo(int scoid, struct _client_info *info, int ngroups);
int ConnectClientInfo_r(int scoid, struct _client_info *info, int ngroups);

/* Send; the letters tell which sides have parts, "nc" is not cancelled. */
long MsgSend(int coid, const void *smsg, size_t sbytes, void *rmsg,
             size_t rbytes);
long MsgSend_r(int coid, const void *smsg, size_t sbytes, void *rmsg,
               size_t rbytes);
long MsgSendnc(int coid, const void *smsg, size_t sbytes, void *rmsg,
               size_t rbytes);
long MsgSendnc_r(int coid, const void *smsg, size_t sbytes, void *rmsg,
                 size_t rbytes);
long MsgSendsv(int coid, const void *smsg, size_t sbytes, const iov_t *riov,
               size_t rparts);
long MsgSendsv_r(int coid, const void *smsg, size_t sbytes, const iov_t *riov,
                 size_t rparts);
long MsgSendsvnc(int coid, const void *smsg, size_t sbytes, const iov_t *riov,
                 size_t rparts);
long MsgSendsvnc_r(int coid, const void *smsg, size_t sbytes, const iov_t *riov,
                   size_t rparts);
long MsgSendvs(int coid, const iov_t *siov, size_t sparts, void *rmsg,
               size_t rbytes);
long MsgSendvs_r(int coid, const iov_t *siov, size_t sparts, void *rmsg,
                 size_t rbytes);
long MsgSendvsnc(int coid, const iov_t *siov, size_t sparts, void *rmsg,
                 size_t rbytes);
long MsgSendvsnc_r(int coid, const iov_t *siov, size_t sparts, void *rmsg,
                   size_t rbytes);
long MsgSendv(int coid, const iov_t *siov, size_t sparts, const iov_t *riov,
              size_t rparts);
long MsgSendv_r(int coid, const iov_t *siov, size_t sparts, const iov_t *riov,
                size_t rparts);
long MsgSendvnc(int coid, const iov_t *siov, size_t sparts, const iov_t *riov,
                size_t rparts);
long MsgSendvnc_r(int coid, const iov_t *siov, size_t sparts, const iov_t *riov,
                  size_t rparts);

/* Receive: a message, or 0 for a pulse. */
rcvid_t MsgReceive(int chid, void *msg, size_t bytes, struct _msg_info *info);
rcvid_t MsgReceive_r(int chid, void *msg, size_t bytes, struct _msg_info *info);
rcvid_t MsgReceivev(int chid, const iov_t *iov, size_t parts,
                    struct _msg_info *info);
rcvid_t MsgReceivev_r(int chid, const iov_t *iov, size_t parts,
                      struct _msg_info *info);
int MsgReceivePulse(int chid, void *pulse, size_t bytes,
                    struct _msg_info *info);
int MsgReceivePulse_r(int chid, void *pulse, size_t bytes,
                      struct _msg_info *info);
int MsgReceivePulsev(int chid, const iov_t *iov, size_t parts,
                     struct _msg_info *info);
int MsgReceivePulsev_r(int chid, const iov_t *iov, size_t parts,
                       struct _msg_info *info);

/* Reply, and what else is done for a sender. */
int MsgReply(rcvid_t rcvid, long status, const void *msg, size_t bytes);
int MsgReply_r(rcvid_t rcvid, long status, const void *msg, size_t bytes);
int MsgReplyv(rcvid_t rcvid, long status, const iov_t *iov, size_t parts);
int MsgReplyv_r(rcvid_t rcvid, long status, const iov_t *iov, size_t parts);
int MsgError(rcvid_t rcvid, int error);
int MsgError_r(rcvid_t rcvid, int error);
ssize_t MsgRead(rcvid_t rcvid, void *msg, size_t bytes, size_t offset);
ssize_t MsgRead_r(rcvid_t rcvid, void *msg, size_t bytes, size_t offset);
ssize_t MsgReadv(rcvid_t rcvid, const iov_t *iov, size_t parts, size_t offset);
ssize_t MsgReadv_r(rcvid_t rcvid, const iov_t *iov, size_t parts,
                   size_t offset);
ssize_t MsgWrite(rcvid_t rcvid, const void *msg, size_t bytes, size_t offset);
ssize_t MsgWrite_r(rcvid_t rcvid, const void *msg, size_t bytes, size_t offset);
ssize_t MsgWritev(rcvid_t rcvid, const iov_t *iov, size_t parts, size_t offset);
ssize_t MsgWritev_r(rcvid_t rcvid, const iov_t *iov, size_t parts,
                    size_t offset);
int MsgInfo(rcvid_t rcvid, struct _msg_info *info);
int MsgInfo_r(rcvid_t rcvid, struct _msg_info *info);
int MsgCurrent(rcvid_t rcvid);
int MsgCurrent_r(rcvid_t rcvid);

/* Pulses and events. */
int MsgSendPulse(int coid, int priority, int code, int value);
int MsgSendPulse_r(int coid, int priority, int code, int value);
int MsgSendPulsePtr(int coid, int priority, int code, void *value);
int MsgSendPulsePtr_r(int coid, int priority, int code, void *value);
int MsgDeliverEvent(rcvid_t rcvid, const struct sigevent *event);
int MsgDeliverEvent_r(rcvid_t rcvid, const struct sigevent *event);
int MsgRegisterEvent(struct sigevent *event, int coid);
int MsgRegisterEvent_r(struct sigevent *event, int coid);
int MsgUnregisterEvent(const struct sigevent *event);
int MsgUnregisterEvent_r(const struct sigevent *event);
int MsgVerifyEvent(rcvid_t rcvid, const struct sigevent *event);
int MsgVerifyEvent_r(rcvid_t rcvid, const struct sigevent *event);

/* The next call that may block ends after a time, in nanoseconds. */
int TimerTimeout(clockid_t clock, int flags, const struct sigevent *notify,
                 const uint64_t *ntime, uint64_t *otime);
int TimerTimeout_r(clockid_t clock, int flags, const struct sigevent *notify,
                   const uint64_t *ntime, uint64_t *otime);
int timer_timeout(clockid_t clock, int flags, const struct sigevent *notify,
                  const struct timespec *ntime, struct timespec *otime);

/* The clock that the processor counts. */
uint64_t ClockCycles(void);

#ifdef __cplusplus
}
#endif

#endif /* SYS_NEUTRINO_H */
