/* SPDX-License-Identifier: MIT */
/*
 * Pulses and events.
 */
#include <stdint.h>
#include <sys/neutrino.h>

#include <portolan/calls.h>

#include "qnx.h"

int
MsgSendPulsePtr_r(int coid, int priority, int code, void *value)
{
    return (int)portolan_msg_send_pulse(coid, priority, code, (uintptr_t)value);
}

int
MsgSendPulsePtr(int coid, int priority, int code, void *value)
{
    return (int)qnx_result(MsgSendPulsePtr_r(coid, priority, code, value));
}

/* The value is 32 bits, without sign, also for who reads more of it. */
int
MsgSendPulse_r(int coid, int priority, int code, int value)
{
    return (int)portolan_msg_send_pulse(coid, priority, code, (uint32_t)value);
}

int
MsgSendPulse(int coid, int priority, int code, int value)
{
    return (int)qnx_result(MsgSendPulse_r(coid, priority, code, value));
}

int
MsgDeliverEvent_r(rcvid_t rcvid, const struct sigevent *event)
{
    return (int)portolan_msg_deliver_event(rcvid, event, sizeof(*event));
}

int
MsgDeliverEvent(rcvid_t rcvid, const struct sigevent *event)
{
    return (int)qnx_result(MsgDeliverEvent_r(rcvid, event));
}

int
MsgRegisterEvent_r(struct sigevent *event, int coid)
{
    return (int)portolan_msg_register_event(event, sizeof(*event), coid);
}

int
MsgRegisterEvent(struct sigevent *event, int coid)
{
    return (int)qnx_result(MsgRegisterEvent_r(event, coid));
}

int
MsgUnregisterEvent_r(const struct sigevent *event)
{
    return (int)portolan_msg_unregister_event(event, sizeof(*event));
}

int
MsgUnregisterEvent(const struct sigevent *event)
{
    return (int)qnx_result(MsgUnregisterEvent_r(event));
}

int
MsgVerifyEvent_r(rcvid_t rcvid, const struct sigevent *event)
{
    return (int)portolan_msg_verify_event(rcvid, event, sizeof(*event));
}

int
MsgVerifyEvent(rcvid_t rcvid, const struct sigevent *event)
{
    return (int)qnx_result(MsgVerifyEvent_r(rcvid, event));
}
