/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts Ethernet frames on a wire: those of a file, over and over, at a rate or as fast as it can.
 *
 * send INTERFACE FILE COUNT RATE
 *
 * FILE: for each frame its length in two bytes (big-endian), then the frame. RATE: frames a second, 0 for no
 * limit. In each pass over the file after the first, TCP's sequence numbers (of IPv4 without options) are one
 * higher than before, so that no SYN repeats another one. Prints the number sent and the seconds that took. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, TCP = 6, PROTOCOL = 23, SEQUENCE = 38, CHECKSUM = 50 };

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void wait_until(double moment)
{
	struct timespec at = {.tv_sec = (time_t)moment, .tv_nsec = (long)((moment - (double)(time_t)moment) * 1e9)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

/* Index the frames of the file; gives their number. */
static long load(const char *path, struct iovec **frames)
{
	struct stat about;
	int file = open(path, O_RDONLY);
	long number = 0, room = 0;
	uint8_t *data;

	if (file < 0 || fstat(file, &about) < 0 || about.st_size < 3)
		fail(path);
	data = mmap(NULL, (size_t)about.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE, file, 0);
	if (data == MAP_FAILED)
		fail(path);
	*frames = NULL;
	for (off_t at = 0; at + 2 < about.st_size;) {
		size_t length = (size_t)(data[at] << 8 | data[at + 1]);

		if (number == room) {
			room = room ? 2 * room : 1024;
			*frames = realloc(*frames, (size_t)room * sizeof(**frames));
			if (!*frames)
				fail("memory");
		}
		(*frames)[number++] = (struct iovec){.iov_base = data + at + 2, .iov_len = length};
		at += 2 + (off_t)length;
	}
	return number;
}

/* One higher a sequence number; the checksum follows (RFC 1624). */
static void advance(uint8_t *frame, size_t length)
{
	uint16_t low, sum;
	uint32_t sequence, changed;

	if (length < CHECKSUM + 2 || frame[12] != 8 || frame[13] || frame[14] != 0x45 || frame[PROTOCOL] != TCP)
		return;
	memcpy(&sequence, frame + SEQUENCE, 4);
	sequence = ntohl(sequence);
	if ((sequence & 0xffff) == 0xffff)
		return; /* a carry; this one repeats itself */
	low = (uint16_t)sequence;
	sequence = htonl(sequence + 1);
	memcpy(frame + SEQUENCE, &sequence, 4);
	memcpy(&sum, frame + CHECKSUM, 2);
	changed = (uint32_t)(uint16_t)~ntohs(sum) + (uint16_t)~low + (uint16_t)(low + 1);
	changed = (changed & 0xffff) + (changed >> 16);
	changed = (changed & 0xffff) + (changed >> 16);
	sum = htons((uint16_t)~changed);
	memcpy(frame + CHECKSUM, &sum, 2);
}

static int open_wire(const char *interface)
{
	struct sockaddr_ll wire = {.sll_family = AF_PACKET, .sll_protocol = 0};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), yes = 1;

	wire.sll_ifindex = (int)if_nametoindex(interface);
	if (fd < 0 || !wire.sll_ifindex || bind(fd, (struct sockaddr *)&wire, sizeof(wire)) < 0)
		fail(interface);
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes));
	return fd;
}

int main(int count, char **words)
{
	struct mmsghdr messages[BATCH] = {0};
	struct iovec *frames;
	long wanted, number, sent = 0, next = 0;
	double rate, started;
	int wire, passes = 0;

	if (count != 5) {
		fputs("usage: send INTERFACE FILE COUNT RATE\n", stderr);
		return 2;
	}
	wire = open_wire(words[1]);
	number = load(words[2], &frames);
	wanted = atol(words[3]);
	rate = atof(words[4]);
	started = now();
	while (sent < wanted) {
		long batch = wanted - sent < BATCH ? wanted - sent : BATCH;

		if (rate > 0) {
			long due = (long)((now() - started) * rate) + 1 - sent;

			if (due < 1) {
				wait_until(started + (double)(sent + 1) / rate + 0.0005);
				continue;
			}
			batch = due < batch ? due : batch;
		}
		for (long i = 0; i < batch; i++) {
			if (passes)
				advance(frames[next].iov_base, frames[next].iov_len);
			messages[i].msg_hdr.msg_iov = &frames[next];
			messages[i].msg_hdr.msg_iovlen = 1;
			if (++next == number) {
				next = 0;
				passes = 1;
				batch = i + 1; /* no frame twice in one call: it changes in between */
			}
		}
		for (long done = 0; done < batch;) {
			int taken = sendmmsg(wire, messages + done, (unsigned int)(batch - done), 0);

			if (taken < 0 && errno != ENOBUFS && errno != EINTR)
				fail("sendmmsg");
			done += taken > 0 ? taken : 0;
		}
		sent += batch;
	}
	printf("%ld %.9f\n", sent, now() - started);
	return 0;
}
