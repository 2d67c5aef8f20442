/** Text2Grad: reinforcement learning from natural-language feedback, on
 * CPUs. */
#ifndef T2G_T2G_H
#define T2G_T2G_H

#define T2G_VERSION "0.1.0"

#include "t2g/chat.h"
#include "t2g/code.h"
#include "t2g/critic.h"
#include "t2g/facts.h"
#include "t2g/feedback.h"
#include "t2g/files.h"
#include "t2g/gguf.h"
#include "t2g/kernels.h"
#include "t2g/memory.h"
#include "t2g/metrics.h"
#include "t2g/model.h"
#include "t2g/official.h"
#include "t2g/ppo.h"
#include "t2g/reply.h"
#include "t2g/rng.h"
#include "t2g/statistics.h"
#include "t2g/status.h"
#include "t2g/threads.h"
#include "t2g/tokenizer.h"
#include "t2g/train.h"

#endif
