UNIT_launcher_requests := attacher/launcher_requests.c common/channel.c common/message.c common/log.c
