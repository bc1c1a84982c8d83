-- One user's visits to one channel, which questions about a moment ask for: somebody may have visited very many channels.
CREATE INDEX visits_by_channel_and_user ON visits (channel_id, user_id, joined_to);
