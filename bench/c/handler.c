/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reference that others are measured against: takes packets from a kernel queue and accepts each.
 *
 * handler QUEUE single|batch
 *
 * single: recv(2), and one send(2) a verdict. batch: recvmmsg(2), and the verdicts of a batch in one send(2).
 * Prints `ready` once it listens. Then, for each line with a number on standard input: judges so many
 * packets, and prints the CPU seconds and the seconds that took. Speaks netlink itself, so nothing but the
 * kernel's own work and the system calls is in these figures. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, LARGEST = 8192, COPY = 4016, WAITING = 16384, BUFFER = 64 << 20 };

struct verdict {
	struct nlmsghdr message;
	struct nfgenmsg family;
	struct nlattr attribute;
	struct nfqnl_msg_verdict_hdr verdict;
};

struct config {
	struct nlmsghdr message;
	struct nfgenmsg family;
	struct nlattr attribute;
	uint8_t value[12];
};

static unsigned short queue;
static int link_fd;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double seconds(clockid_t clock)
{
	struct timespec at;

	clock_gettime(clock, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void fill(struct nlmsghdr *message, struct nfgenmsg *family, uint16_t kind, uint16_t flags, size_t length)
{
	message->nlmsg_len = (uint32_t)length;
	message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_QUEUE << 8 | kind);
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	family->version = NFNETLINK_V0;
	family->res_id = htons(queue);
}

/* Tell the kernel one thing about the queue, and wait until it has agreed. */
static void configure(uint16_t kind, const void *value, size_t length)
{
	struct config config = {0};
	char answer[1024];
	const struct nlmsghdr *message = (const struct nlmsghdr *)answer;

	fill(&config.message, &config.family, NFQNL_MSG_CONFIG, NLM_F_ACK,
	     offsetof(struct config, value) + sizeof(config.value));
	config.attribute.nla_type = kind;
	config.attribute.nla_len = (uint16_t)(sizeof(struct nlattr) + length);
	memcpy(config.value, value, length);
	if (send(link_fd, &config, config.message.nlmsg_len, 0) < 0)
		fail("configuring the queue");
	if (recv(link_fd, answer, sizeof(answer), 0) < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)))
		fail("configuring the queue");
	errno = -((const struct nlmsgerr *)NLMSG_DATA(message))->error;
	if (errno)
		fail("configuring the queue");
}

static void listen_to_queue(void)
{
	struct nfqnl_msg_config_cmd bind_command = {.command = NFQNL_CFG_CMD_BIND};
	struct nfqnl_msg_config_params parameters = {.copy_range = htonl(COPY), .copy_mode = NFQNL_COPY_PACKET};
	uint32_t waiting = htonl(WAITING);
	int size = BUFFER;
	struct sockaddr_nl own = {.nl_family = AF_NETLINK};

	link_fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	if (link_fd < 0 || bind(link_fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		fail("netlink");
	if (setsockopt(link_fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		fail("receive buffer");
	configure(NFQA_CFG_CMD, &bind_command, sizeof(bind_command));
	configure(NFQA_CFG_PARAMS, &parameters, sizeof(parameters));
	configure(NFQA_CFG_QUEUE_MAXLEN, &waiting, sizeof(waiting));
}

/* Make the verdict on the packet in `message`; 0 if there is none in it. The kernel puts the packet's header
 * first (net/netfilter/nfnetlink_queue.c: nfqnl_build_packet_message). */
static int accept_packet(const struct nlmsghdr *message, struct verdict *verdict)
{
	const struct nlattr *first = (const struct nlattr *)((const char *)NLMSG_DATA(message) + sizeof(struct nfgenmsg));

	if (message->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET) || first->nla_type != NFQA_PACKET_HDR)
		return 0;
	fill(&verdict->message, &verdict->family, NFQNL_MSG_VERDICT, 0, sizeof(*verdict));
	verdict->attribute.nla_type = NFQA_VERDICT_HDR;
	verdict->attribute.nla_len = sizeof(verdict->attribute) + sizeof(verdict->verdict);
	verdict->verdict.verdict = htonl(NF_ACCEPT);
	verdict->verdict.id = ((const struct nfqnl_msg_packet_hdr *)(first + 1))->packet_id;
	return 1;
}

static long judge_one(void)
{
	static char buffer[LARGEST] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct verdict verdict = {0};

	if (recv(link_fd, buffer, sizeof(buffer), 0) < 0)
		fail("recv");
	if (!accept_packet((const struct nlmsghdr *)buffer, &verdict))
		return 0;
	if (send(link_fd, &verdict, sizeof(verdict), 0) < 0)
		fail("send");
	return 1;
}

static long judge_batch(void)
{
	static char buffers[BATCH][LARGEST] __attribute__((aligned(NLMSG_ALIGNTO)));
	static struct verdict verdicts[BATCH];
	struct iovec places[BATCH];
	struct mmsghdr messages[BATCH] = {0};
	long judged = 0;
	int received;

	for (int i = 0; i < BATCH; i++) {
		places[i] = (struct iovec){.iov_base = buffers[i], .iov_len = LARGEST};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &places[i], .msg_iovlen = 1};
	}
	received = recvmmsg(link_fd, messages, BATCH, MSG_WAITFORONE, NULL);
	if (received < 0)
		fail("recvmmsg");
	for (int i = 0; i < received; i++)
		judged += accept_packet((const struct nlmsghdr *)buffers[i], &verdicts[judged]);
	if (judged && send(link_fd, verdicts, (size_t)judged * sizeof(verdicts[0]), 0) < 0)
		fail("send");
	return judged;
}

int main(int count, char **words)
{
	long (*judge)(void);
	long wanted;

	if (count != 3) {
		fputs("usage: handler QUEUE single|batch\n", stderr);
		return 2;
	}
	queue = (unsigned short)atoi(words[1]);
	judge = strcmp(words[2], "batch") ? judge_one : judge_batch;
	listen_to_queue();
	puts("ready");
	fflush(stdout);
	while (scanf("%ld", &wanted) == 1) {
		double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);

		for (long judged = 0; judged < wanted;)
			judged += judge();
		printf("%.9f %.9f\n", seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds(CLOCK_MONOTONIC) - wall);
		fflush(stdout);
	}
	return 0;
}
