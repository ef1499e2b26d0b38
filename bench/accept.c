/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reference handler: takes packets from a queue and accepts each, nothing else. The floor that others
 * are measured against. Usage: accept QUEUE PACKETS; waits for a byte on standard input, then drains. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static long judged;

static int accept_packet(struct nfq_q_handle *queue, struct nfgenmsg *message, struct nfq_data *packet, void *unused)
{
	struct nfqnl_msg_packet_hdr *header = nfq_get_msg_packet_hdr(packet);

	(void)message;
	(void)unused;
	judged++;
	return nfq_set_verdict(queue, header ? ntohl(header->packet_id) : 0, NF_ACCEPT, 0, NULL);
}

int main(int count, char **words)
{
	static char buffer[65536];
	struct rusage used;
	struct nfq_handle *handle = nfq_open();
	struct nfq_q_handle *queue;
	long wanted;
	char go;

	if (count != 3 || !handle)
		return 1;
	wanted = atol(words[2]);
	queue = nfq_create_queue(handle, (unsigned short)atoi(words[1]), accept_packet, NULL);
	if (!queue || nfq_set_mode(queue, NFQNL_COPY_PACKET, 4016) < 0 || nfq_set_queue_maxlen(queue, 16384) < 0)
		return 1;
	nfnl_rcvbufsiz(nfq_nfnlh(handle), 16 << 20);
	puts("ready");
	fflush(stdout);
	if (read(0, &go, 1) != 1)
		return 1;
	getrusage(RUSAGE_SELF, &used);
	double before = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	while (judged < wanted) {
		ssize_t length = recv(nfq_fd(handle), buffer, sizeof(buffer), 0);
		if (length <= 0)
			return 1;
		nfq_handle_packet(handle, buffer, (int)length);
	}
	getrusage(RUSAGE_SELF, &used);
	printf("%.6f\n", used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6 - before);
	return 0;
}
