// SPDX-License-Identifier: Apache-2.0
/// Widens a finite FP16 number to a scale: exact; subnormals become normal.
module fp16_to_scale (
  input  logic [15:0]      fp16_i,
  output anda_pkg::scale_t scale_o
);

  logic [4:0] field;
  logic [9:0] fraction, normalised;
  logic [3:0] zeros;  // leading zeros of a subnormal's fraction

  assign {field, fraction} = fp16_i[14:0];

  always_comb begin
    zeros = 4'd0;
    for (int unsigned i = 0; i < 10; i++) begin
      if (fraction[i]) zeros = 4'(9 - i);
    end
  end

  // The leading one moves out of the fraction.
  assign normalised = fraction << (zeros + 4'd1);

  always_comb begin
    if (field != '0)         scale_o = {fp16_i[15], 8'(field) + 8'd112, fraction};
    else if (fraction != '0) scale_o = {fp16_i[15], 8'd112 - 8'(zeros), normalised};
    else                     scale_o = {fp16_i[15], 18'b0};
  end

endmodule
