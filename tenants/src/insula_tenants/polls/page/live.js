"use strict";
function watch(channel) { state.watched = channel; }
