"use strict";
// The arithmetic of convkit.shapes, along one axis. null: nothing fits.

const sizes = {
  /** floor((I + 2P − D(K − 1) − 1) / S) + 1 */
  conv({ size, kernel, stride, padding, dilation }) {
    const room = size + 2 * padding - dilation * (kernel - 1) - 1;
    return room < 0 ? null : Math.floor(room / stride) + 1;
  },

  /** (I − 1)S − 2P + D(K − 1) + P_out + 1; output padding is less than the stride or the dilation */
  transposed({ size, kernel, stride, padding, dilation, extra }) {
    if (extra >= Math.max(stride, dilation)) return null;
    const output = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1;
    return output < 1 ? null : output;
  },

  /** Padding [before, after] that makes the output ceil(size / stride); an odd pixel goes to the end. */
  same({ size, kernel, stride, dilation }) {
    const windows = Math.ceil(size / stride);
    const total = Math.max((windows - 1) * stride + dilation * (kernel - 1) + 1 - size, 0);
    return [Math.floor(total / 2), total - Math.floor(total / 2)];
  },

  /** Weights, parameters and multiply-adds of a square layer; null where groups do not divide the channels. */
  cost({ size, kernel, channels, filters, groups, transposed }, output) {
    if (channels % groups || filters % groups) return null;
    const weights = (channels * filters * kernel * kernel) / groups;
    const places = transposed ? size * size : output * output;
    return { weights, parameters: weights + filters, macs: weights * places };
  },
};
