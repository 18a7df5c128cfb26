"""Drawing the noiseless light of sources on the pixels of an exposure."""
