/* SPDX-License-Identifier: MIT */
/*
 * What is embedded in objects that are freed by RCU.
 */
#ifndef KERN_RCU_TYPES_H
#define KERN_RCU_TYPES_H

struct rcu_head;

typedef void (*rcu_fn_t)(struct rcu_head *head);

/*
 * A callback under way; rcu_call()'s until the function is called.
 */
struct rcu_head {
    struct rcu_head *next;
    rcu_fn_t fn; /* or, below RCU_FREE_MAX, the offset in what is to be freed */
};

#endif /* KERN_RCU_TYPES_H */
