"""Synonyms: what programs write, beside what people say for it.

A line is a concept; its words and phrases mean the same to who looks for trouble. A word is compared by its stem, a
phrase by those of its words in a row. One word may be in several concepts: `full` is said of disks and of queues.
A concept that begins with `!` is trouble in itself: who asks for trouble is not answered with what went well.
What stands here is what any operator would say of any system, nothing of one product alone.
"""

from __future__ import annotations

CONCEPTS: tuple[str, ...] = (
    # ── resources ───────────────────────────────────────────────────────────────────────────────────────────
    "quota, credit, credits, allowance, balance, budget, funds, insufficient funds, usage limit, plan limit, 402",
    "! exhausted, exceeded, ran out, run out, out of, used up, depleted, no more, nothing left, insufficient, too low,"
    " limit reached, reached its limit, over limit, at capacity, no room, no space, not enough, none left",
    "! rate limit, throttled, throttling, throttle, too many requests, too often, 429, slow down, request rate",
    "! out of memory, oom, oom kill, oom killed, memory limit, killed for memory, outofmemoryerror, heap space,"
    " cannot allocate, memory exhausted, enomem, memory cgroup",
    "! disk full, no space, out of space, storage full, enospc, space left, volume full, low on disk,"
    " ephemeral storage, low on storage, disk pressure, storage is full",
    "! too many open files, emfile, enfile, file descriptors, descriptors, ulimit, nofile",
    "disk, drive, volume, storage, filesystem, file system, block device, sector, ata, nvme, mount",
    "! dying, broken disk, bad sector, uncorrectable, i/o error, i/o aborted, io error, medium error, smart failure,"
    " hardware error",
    "! read only, readonly, cannot write, write protected, remounting filesystem read only, erofs",
    "! overloaded, overload, shedding load, load shedding, saturated, too busy, in flight, 503, server busy,"
    " service unavailable",
    "garbage collection, gc, gc pause, stop the world, allocation failure, collector",
    "! freeze, freezes, frozen, pause, paused, hang, hangs, hung, stuck, stall, stalled, not responding, unresponsive",
    # ── connections ─────────────────────────────────────────────────────────────────────────────────────────
    "! connection refused, econnrefused, refuses connections, refused connection, nothing listening, port closed",
    "! lost connection, connection lost, lost its connection, disconnected, disconnect, connection reset, econnreset,"
    " reset by peer, closed the connection, broken pipe, epipe, closed its socket, connection closed, hang up, hung up,"
    " dropped connection, could not be established, not connected, reconnecting, reconnect, connection dropped",
    "! timeout, timed out, time out, took too long, too long, deadline exceeded, did not answer, no answer,"
    " no response, etimedout, did not finish, slow to answer, gave up waiting",
    "slow, slowly, latency, sluggish, lagging, takes long, took, duration, high latency, performance",
    "network, bandwidth, packet, packets, link, bad network, poor connection, weak connection, buffered",
    "audio, sound, voice, speech, jitter, choppy, stutter, crackling, tts, asr, recogniser, recognition, codec",
    "caller, customer, client, user, guest, visitor, somebody, someone",
    "dns, name resolution, resolve, resolved, resolver, getaddrinfo, enotfound, nxdomain, unknown host,"
    " no such host, name or service not known, hostname, lookup",
    "! firewall, iptables, nftables, blocked, denied by policy, security group, packet filter, drop in",
    "backend, upstream, origin, downstream, dependency, service behind",
    "health check, healthcheck, probe, readiness, liveness, heartbeat, unhealthy",
    # ── who may what ────────────────────────────────────────────────────────────────────────────────────────
    "certificate, cert, tls, ssl, x509, https, ca, handshake, issuer certificate",
    "! expired, expire, expires, too old, out of date, outdated, not yet valid, in the past, no longer valid, stale",
    "! not trusted, untrusted, self signed, unknown authority, unable to get local issuer, verify failed,"
    " unable to verify",
    "authentication, login, log in, logon, sign in, signin, credentials, password, passwd, pam, authenticate",
    "! wrong password, invalid credentials, failed password, authentication failed, authentication failure,"
    " bad password, login failed, unauthorized, 401, invalid user, bad attempts, sign in did not succeed",
    "! break in, brute force, intrusion, attack, hacker, attacker, intruder, guessing passwords, failed password,"
    " invalid user",
    "ssh, sshd, ssh2, secure shell",
    "! permission, not allowed, forbidden, access denied, accessdenied, permission denied, unauthorized, 403, lacks,"
    " not permitted, eacces, eperm, not authorised",
    "! locked out, account locked, account disabled, disabled, suspended, blocked account",
    "token, jwt, session, bearer, api key, apikey, key, credential",
    "bucket, object, resource, s3, blob",
    # ── what broke ──────────────────────────────────────────────────────────────────────────────────────────
    "! failed, failure, fail, fails, error, did not work, does not work, not working, broken, could not, cannot,"
    " unable, did not, unsuccessful, went wrong, gave, giving up, aborted, problem",
    "! refused, rejected, declined, denied, not accepted, turned down, processor declined",
    "! crash, crashed, died, segfault, sigsegv, core dumped, terminated, terminated by signal, killed, panic, fatal,"
    " aborted, dumped, exited, went down, stopped working",
    "! restart, restarted, restarting, restarts, sigterm, draining, shutting down, shutdown, starting, reload,"
    " back off, crashloopbackoff, crash loop",
    "! reboot, rebooted, booting, boot, power cycle, unclean, came up again",
    "! down, offline, unavailable, unreachable, not reachable, outage, gone, no active",
    "! corrupt, corrupted, corruption, damaged, checksum mismatch, crc, bad checksum, inconsistent",
    "! duplicate, twice, already exists, unique constraint, duplicate key, inserted twice, same row, same key",
    "row, record, entry, key value, tuple",
    "! missing, not set, absent, not found, unset, undefined, keyerror, does not exist, none, no such, unknown",
    "! version mismatch, incompatible, unsupported, protocol version, mismatch, expected, different version",
    # ── data ────────────────────────────────────────────────────────────────────────────────────────────────
    "database, db, sql, postgres, mysql, query, statement, table, schema",
    "full scan, seq scan, table scan, scanned, missing index, no index, sequential scan",
    "! deadlock, block each other, lock wait, sharelock, waits for, waiting for lock, blocked by, lock timeout",
    "connection pool, free connections, no free connections, too many connections, connection slots, remaining"
    " connection slots, too many clients, pool exhausted, max connections",
    "replica, replication, standby, follower, secondary, slave, mirror",
    "! behind, lag, lagging, delay, delayed, late, out of sync, not caught up",
    "migration, migrate, schema change, alembic, flyway, liquibase, alter table, revision",
    "backup, snapshot, dump, restore, archive",
    "! did not run, skipped, not started, missed, was not run, still active, previous one still",
    "stale, refresh, cache refresh, out of date data, old data, keeping, cached",
    # ── queues ──────────────────────────────────────────────────────────────────────────────────────────────
    "queue, topic, backlog, stream, partition, pending, jobs, tasks, messages, events, consumer",
    "! growing, grow, grew, pile up, piling up, piles up, backing up, lag, high watermark, above, increasing, backlog",
    "broker, kafka, rabbitmq, amqp, node, bootstrap server",
    "worker, consumer, nobody picks up, no active workers, no consumers, no workers, executor",
    "! thrown away, discarded, dropped, dead letter, dlq, dead letter topic, moved to dead letter, lost message,"
    " message lost, rejected message",
    "leader, leader election, elected, master, became master, election, primary, votes, term, quorum",
    # ── deployments ─────────────────────────────────────────────────────────────────────────────────────────
    "container, pod, docker, kubernetes, kubelet, workload",
    "image, pull, pull image, download image, downloaded, manifest, registry, errimagepull, imagepullbackoff",
    "! not scheduled, does not start, nodes are available, unschedulable, no node, insufficient cpu,"
    " insufficient memory, failedscheduling",
    "! evicted, eviction, thrown off, preempted, low on",
    "deployed, deployment, deploy, release, rolled out, rollout, went live, new version, new release, shipped",
    "feature, flag, feature flag, toggle, switched on, enabled, turned on, experiment",
    "configuration, config, settings, setting, yaml, environ, environment variable, parse error, syntax error,"
    " unexpected token",
    "environment variable, environ, env, getenv",
    "by hand, manually, cancelled, canceled, stopped by, aborted by, operator",
    # ── the rest of the world ───────────────────────────────────────────────────────────────────────────────
    "payment, pay, charge, card, billing, invoice, checkout, issuer, purchase",
    "email, mail, smtp, e mail, message delivery, recipient, bounced, mailbox",
    "! not delivered, undeliverable, bounced, could not be delivered, delivery failed, giving up, not sent",
    "webhook, hook, callback, notification url",
    "! too large, too big, payload too large, entity too large, body, 413, max size, size limit",
    "upload, uploads, file upload, client intended to send, attachment",
    "clock, time offset, time skew, clock skew, ntp, chrony, system time, stepping, clock stepped, drift,"
    " wrong time",
    "call, phone call, dial, ringing, connected, caller",
    "! rejected, could not be connected, not connected, call failed, call rejected, unanswered",
)
